// A real API server on loopback: etcd, kube-apiserver with RBAC, admission and audit, and the kubectl of that release.
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import https from 'node:https'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Ran, runOk, systemProcesses } from '../../base/processes.ts'
import type { Programs } from './build.ts'
import { type Child, startChild } from './child.ts'
import { type Answer, httpsRequest } from './http.ts'
import { AUDIT_POLICY, apiServerArgs, etcdArgs, file, type Places } from './settings.ts'

const READY_WITHIN_MS = 120_000
const LOOK_EVERY_MS = 100
const KUBECTL_WITHIN_MS = 120_000

export interface Cluster {
  readonly url: string
  /** Certificate authority, PEM. */
  readonly ca: string
  /** Of a member of system:masters. */
  readonly token: string
  /** A kubeconfig of that member. */
  readonly kubeconfig: string
  /** One line of JSON a request (audit.k8s.io/v1 Event). */
  readonly auditLog: string
  /** The one that runs now. */
  readonly etcd: Child
  /** Of its clients: gRPC, and JSON under /v3. */
  readonly etcdUrl: string
  /** The cluster's own kubectl. Throws when it fails. */
  kubectl(args: readonly string[], input?: string): Promise<string>
  /** As `kubectl`, whatever its exit code. */
  tryKubectl(args: readonly string[], input?: string): Promise<Ran>
  /** One request to the API server as that member. */
  request(method: string, path: string, body?: unknown, contentType?: string): Promise<Answer>
  /** A kubeconfig in the cluster's folder for another bearer or another URL. */
  writeKubeconfig(name: string, user: { token: string; url?: string }): Promise<string>
  /** The API server ends and starts again on the same port. */
  restartApiServer(signal?: NodeJS.Signals): Promise<void>
  /** etcd ends, and `restart` of what comes back starts it again over its data. The API server runs on. */
  stopEtcd(signal?: NodeJS.Signals): Promise<{ restart(): void }>
  stop(): Promise<void>
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = net.createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as net.AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

function kubeconfigText(url: string, caFile: string, token: string): string {
  // Plain HTTP is for a proxy on loopback that a test put in between.
  const trust = url.startsWith('http:') ? { 'insecure-skip-tls-verify': true } : { 'certificate-authority': caFile }
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    clusters: [{ name: 'test', cluster: { server: url, ...trust } }],
    users: [{ name: 'test', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
  }
  return `${JSON.stringify(config, null, 2)}\n`
}

/** Starts a cluster in a new folder. What it is made of ends with `stop`, and is ended when it does not come up. */
export async function startCluster(programs: Programs): Promise<Cluster> {
  const folder = await mkdtemp(join(tmpdir(), 'ppn-kube-'))
  const places: Places = {
    folder,
    apiPort: await freePort(),
    etcdPort: await freePort(),
    etcdPeerPort: await freePort(),
  }
  const url = `https://127.0.0.1:${places.apiPort}`
  const agent = new https.Agent({ keepAlive: true, maxSockets: 32 })
  const token = randomBytes(24).toString('hex')
  await mkdir(file(places, 'certificates'))
  await writeFile(file(places, 'audit-policy.yaml'), AUDIT_POLICY)
  // Columns of a token file: token, user, uid, groups.
  await writeFile(file(places, 'tokens.csv'), `${token},tester,tester,"system:masters"\n`, { mode: 0o600 })
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  await writeFile(file(places, 'service-account.key'), privateKey.export({ type: 'sec1', format: 'pem' }), {
    mode: 0o600,
  })

  const startEtcd = () => startChild(programs.etcd, etcdArgs(places), file(places, 'etcd.log'))
  let etcd = startEtcd()
  const startApi = () => startChild(programs['kube-apiserver'], apiServerArgs(places), file(places, 'apiserver.log'))
  let api = startApi()
  const stop = async () => {
    agent.destroy()
    etcd.thaw()
    // The server first: it would wait for its etcd.
    await api.stop()
    await etcd.stop()
    await rm(folder, { recursive: true, force: true })
  }

  const caFile = file(places, 'certificates/apiserver.crt')
  try {
    await answering(() => (existsSync(caFile) ? readFile(caFile, 'utf8') : undefined), { url, token, agent }, [
      etcd,
      api,
    ])
  } catch (error) {
    await stop()
    throw error
  }
  const ca = await readFile(caFile, 'utf8')
  const writeKubeconfig = async (name: string, user: { token: string; url?: string }) => {
    const path = file(places, `${name}.kubeconfig`)
    await writeFile(path, kubeconfigText(user.url ?? url, caFile, user.token), { mode: 0o600 })
    return path
  }
  const kubeconfig = await writeKubeconfig('admin', { token })
  const processes = systemProcesses()
  const runOptions = (input?: string) => ({
    timeoutMs: KUBECTL_WITHIN_MS,
    // No discovery cache from other clusters on the same port, nobody's own settings.
    env: { KUBECONFIG: kubeconfig, HOME: folder, KUBECACHEDIR: file(places, 'kubectl-cache') },
    ...(input !== undefined && { input }),
  })
  return {
    ...{ url, ca, token, kubeconfig },
    get etcd() {
      return etcd
    },
    etcdUrl: `http://127.0.0.1:${places.etcdPort}`,
    auditLog: file(places, 'audit.log'),
    kubectl: (args, input) => runOk(processes, programs.kubectl, [...args], runOptions(input)),
    tryKubectl: (args, input) => processes.run(programs.kubectl, [...args], runOptions(input)),
    request: (method, path, body, contentType) =>
      httpsRequest({ url, ca, token, agent }, method, path, body, contentType),
    writeKubeconfig,
    async restartApiServer(signal) {
      await api.stop(signal)
      api = startApi()
      await answering(() => Promise.resolve(ca), { url, token, agent }, [etcd, api])
    },
    async stopEtcd(signal) {
      await etcd.stop(signal)
      return {
        restart() {
          etcd = startEtcd()
        },
      }
    },
    stop,
  }
}

/** Waits until `/readyz` says ok. Throws with the last words of a program that ended. */
async function answering(
  readCa: () => Promise<string> | undefined,
  { url, token, agent }: { url: string; token: string; agent: https.Agent },
  children: readonly Child[],
): Promise<void> {
  const deadline = Date.now() + READY_WITHIN_MS
  let why = 'no certificate yet'
  while (Date.now() < deadline) {
    for (const child of children)
      if (child.ended()) throw new Error(`a program of the cluster ended: ${await child.lastWords()}`)
    const ca = await readCa()
    if (ca) {
      try {
        const { status, text } = await httpsRequest({ url, ca, token, agent }, 'GET', '/readyz')
        if (status === 200) return
        why = `${status} ${text.slice(0, 500)}`
      } catch (error) {
        why = String(error)
      }
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
  }
  throw new Error(`the API server is not ready after ${READY_WITHIN_MS / 1000} s: ${why}`)
}
