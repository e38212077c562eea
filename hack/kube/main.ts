// `npm run kube -- VERB`: the API server of the tests, for a person. docs/kubernetes.md.
import { spawn } from 'node:child_process'
import { systemProcesses } from '../../base/processes.ts'
import { kstatusProgram, kubePrograms } from './build.ts'
import { startCluster } from './cluster.ts'

const USAGE = `usage: npm run kube -- VERB

  build              kube-apiserver, kubectl and etcd at the release of hack/kube/go.mod, and kstatus, once a machine
  up [CMD ...]       an empty cluster on loopback with ppn's CRDs; CMD runs with its KUBECONFIG and kubectl on PATH,
                     by default $SHELL; the cluster ends with it
  path               where the programs are
`

const say = (line: string) => void process.stderr.write(`${line}\n`)

async function up(command: string[]): Promise<number> {
  const programs = await kubePrograms({ processes: systemProcesses(), say })
  const began = Date.now()
  const cluster = await startCluster(programs)
  try {
    await cluster.kubectl(['apply', '--server-side', '-k', 'manifests/crds'])
    say(`the API server is up in ${((Date.now() - began) / 1000).toFixed(1)} s: KUBECONFIG=${cluster.kubeconfig}`)
    const [program = process.env.SHELL ?? '/bin/sh', ...args] = command
    const folder = programs.kubectl.slice(0, programs.kubectl.lastIndexOf('/'))
    const env = { ...process.env, KUBECONFIG: cluster.kubeconfig, PATH: `${folder}:${process.env.PATH ?? ''}` }
    // The signal of a terminal reaches the whole group: the command decides what it means.
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {})
    return await new Promise<number>((resolve, reject) => {
      const child = spawn(program, args, { stdio: 'inherit', env })
      child.once('error', reject)
      child.once('exit', (code) => resolve(code ?? 1))
    })
  } finally {
    await cluster.stop()
  }
}

const [verb, ...rest] = process.argv.slice(2)
if (verb === 'up') process.exitCode = await up(rest)
else if (verb === 'build' || verb === 'path') {
  const options = { processes: systemProcesses(), say }
  const programs = [...Object.values(await kubePrograms(options)), await kstatusProgram(options)]
  for (const program of programs) process.stdout.write(`${program}\n`)
} else {
  process.stderr.write(USAGE)
  process.exitCode = 64 // EX_USAGE of sysexits(3)
}
