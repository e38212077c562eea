// The image against a real API server: its authority, as the role in manifests/base, until it leads and ends when asked.
import { spawn } from 'node:child_process'
import { chmod, chown, mkdir, readlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { newKeyFile } from '../../authority/keys/new-keys.ts'
import { systemClock } from '../../base/clock.ts'
import { systemProcesses } from '../../base/processes.ts'
import { systemRandom } from '../../base/random.ts'
import { generateEd25519 } from '../../protocol/keys.ts'
import { kubePrograms } from '../kube/build.ts'
import { startCluster } from '../kube/cluster.ts'

/** Of the image, and of the files that a kubelet would give its group. */
const GROUP = 65_532
const LEADS_WITHIN_MS = 120_000
const METRICS_PORT = 9180

interface Led {
  /** `/readyz?verbose` of the leader. */
  readyz: string
  words: string
  exitCode: number | null
}

/** `buildah` begins the command line that runs something in a container: `buildah ... run`. */
export async function leadInImage(buildah: readonly string[], container: string, folder: string): Promise<Led> {
  const say = (line: string) => void process.stderr.write(`${line}\n`)
  const cluster = await startCluster(await kubePrograms({ processes: systemProcesses(), say }))
  try {
    await cluster.kubectl(['apply', '--server-side', '-k', 'manifests/base'])
    await cluster.kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s'])
    const token = await cluster.kubectl(['create', 'token', 'ppn-authority', '-n', 'ppn-system'])
    const keys = await newKeyFile(
      { random: systemRandom, clock: systemClock() },
      generateEd25519(systemRandom).publicKey,
    )
    const account = { token: token.trim(), 'ca.crt': cluster.ca, namespace: 'ppn-system' }
    const mounts = [
      ...(await mount(join(folder, 'keys'), '/etc/ppn/keys:ro', { authority: keys })),
      ...(await mount(join(folder, 'account'), '/var/run/secrets/kubernetes.io/serviceaccount:ro', account)),
      ...(await mount(join(folder, 'socket'), '/run/ppn-authority:rw', {})),
    ]
    const [a = 0, b = 0] = systemRandom(2)
    const address = `127.${64 + (a % 128)}.${b}.1`
    const api = new URL(cluster.url)
    const env = [`KUBERNETES_SERVICE_HOST=${api.hostname}`, `KUBERNETES_SERVICE_PORT=${api.port}`]
    const [program = '', ...args] = [
      ...[...buildah, ...mounts, ...env.flatMap((one) => ['--env', one]), container, '--'],
      ...['ppn', 'authority', '--cluster', `--metrics-address=${address}`, `--metrics-port=${METRICS_PORT}`],
    ]
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const said: string[] = []
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => said.push(String(part)))
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
    const readyz = await untilLeads(`http://${address}:${METRICS_PORT}/readyz?verbose`)
    for (const pid of await programsOf(address)) process.kill(pid, 'SIGTERM')
    return { readyz, exitCode: await ended, words: said.join('') }
  } finally {
    await cluster.stop()
  }
}

async function mount(folder: string, target: string, files: Record<string, string | Uint8Array>): Promise<string[]> {
  await mkdir(folder)
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(folder, name), content, { mode: 0o440 })
    await chown(join(folder, name), 0, GROUP)
  }
  await chown(folder, 0, GROUP)
  await chmod(folder, target.endsWith(':rw') ? 0o770 : 0o750)
  return ['--volume', `${folder}:${target}`]
}

/** What buildah puts around the program does not pass signals on, and has the same words on its command line. */
async function programsOf(address: string): Promise<number[]> {
  const { stdout } = await systemProcesses().run('pgrep', ['-f', `metrics-address=${address}`])
  const exes = stdout.split('\n').map(async (pid) => [Number(pid), await readlink(`/proc/${pid}/exe`).catch(() => '')])
  return (await Promise.all(exes)).flatMap(([pid, exe]) => (String(exe).endsWith('/bin/node') ? [Number(pid)] : []))
}

async function untilLeads(url: string): Promise<string> {
  let text = 'nothing answers'
  for (const deadline = Date.now() + LEADS_WITHIN_MS; Date.now() < deadline; await wait(250)) {
    text = await fetch(url).then(
      (answer) => answer.text(),
      (error: Error) => error.message,
    )
    // The last thing that a leader has.
    if (text.includes('[+]serving')) break
  }
  return text
}
