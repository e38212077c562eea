// A pod without a kubelet: the container of a Deployment as a process, with what a kubelet would give it and nothing more,
// in a mount namespace of its own. What this cannot show: the runtime's seccomp profile, and scheduling.
import { type ChildProcess, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import http from 'node:http'
import { dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { Cluster } from '../../hack/kube/cluster.ts'

const REPOSITORY = join(import.meta.dirname, '../..')
const TOKEN_AT = '/var/run/secrets/kubernetes.io/serviceaccount'

interface Probe {
  httpGet: { path: string; port: string | number }
  periodSeconds: number
  failureThreshold: number
  timeoutSeconds: number
}

interface PodSpec {
  serviceAccountName: string
  terminationGracePeriodSeconds: number
  securityContext: { runAsUser: number; runAsGroup: number; fsGroup: number; runAsNonRoot: boolean }
  containers: [
    {
      command?: string[]
      args: string[]
      env: { name: string; value?: string; valueFrom?: { fieldRef: { fieldPath: string } } }[]
      ports: { name: string; containerPort: number }[]
      startupProbe: Probe
      livenessProbe: Probe
      readinessProbe: Probe
      volumeMounts: { name: string; mountPath: string; readOnly?: boolean }[]
      securityContext: { readOnlyRootFilesystem: boolean; allowPrivilegeEscalation: boolean }
    },
  ]
  volumes: { name: string; secret?: { secretName: string; defaultMode: number }; emptyDir?: object }[]
  [more: string]: unknown
}

export interface Deployment {
  metadata: { name: string; namespace: string }
  spec: { replicas: number; template: { metadata: { labels: object }; spec: PodSpec } }
}

export interface Pod {
  readonly name: string
  /** Of the program itself, not of what set it up. */
  readonly pid: number
  /** As a kubelet asks: the declared path on the declared port of the pod's address. */
  probe(which: 'startupProbe' | 'livenessProbe' | 'readinessProbe'): Promise<boolean>
  /** A page of the metrics port. */
  page(path: string): Promise<string>
  /** Standard output and error so far. */
  words(): string
  /** SIGTERM; resolves with the exit code, `late` when it took longer than the grace period. */
  stop(): Promise<number | 'late'>
}

interface PodOptions {
  name: string
  address: string
  /** Of the Kubernetes node. */
  node: string
}

/** Starts it as `deployment` says and waits for its startup probe, as long as that one has. Needs root. */
export async function startPod(cluster: Cluster, deployment: Deployment, options: PodOptions): Promise<Pod> {
  if (process.getuid?.() !== 0) throw new Error('a pod needs root: it gets mounts of its own and becomes another user')
  const { spec } = deployment.spec.template
  const { namespace } = deployment.metadata
  const [container] = spec.containers
  const fields: Record<string, string> = {
    'metadata.namespace': namespace,
    'metadata.name': options.name,
    'status.podIP': options.address,
    'spec.nodeName': options.node,
  }
  const api = new URL(cluster.url)
  const env: Record<string, string> = { KUBERNETES_SERVICE_HOST: api.hostname, KUBERNETES_SERVICE_PORT: api.port }
  for (const { name, value, valueFrom } of container.env) {
    const said = value ?? fields[valueFrom?.fieldRef.fieldPath ?? '']
    if (said === undefined) throw new Error(`${name}: a kubelet would not know its value here`)
    env[name] = said
  }
  const args = container.args.map((arg) => arg.replace(/\$\((\w+)\)/g, (whole, name: string) => env[name] ?? whole))

  const { runAsUser: uid, runAsGroup: gid, fsGroup } = spec.securityContext
  const token = await cluster.kubectl(['create', 'token', spec.serviceAccountName, '-n', namespace])
  const files = new Map([
    [`${TOKEN_AT}/token`, token.trim()],
    [`${TOKEN_AT}/ca.crt`, cluster.ca],
    [`${TOKEN_AT}/namespace`, namespace],
  ])
  const folders: string[] = []
  for (const { name, mountPath } of container.volumeMounts) {
    const volume = spec.volumes.find((candidate) => candidate.name === name)
    if (volume?.emptyDir) folders.push(mountPath)
    const secret = volume?.secret?.secretName
    if (secret === undefined) continue
    const { data } = JSON.parse(await cluster.kubectl(['get', 'secret', secret, '-n', namespace, '-o', 'json'])) as {
      data: Record<string, string>
    }
    for (const [key, text] of Object.entries(data))
      files.set(`${mountPath}/${key}`, Buffer.from(text, 'base64').toString())
  }

  const child = spawn('unshare', ['--mount', '--propagation', 'private', 'sh', '-euc', SETUP, 'sh', ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      PATH: process.env.PATH,
      ...{ REPOSITORY, NODE_FOLDER: dirname(process.execPath), RUN_AS: String(uid), RUN_GROUP: String(gid) },
      ...{ FS_GROUP: String(fsGroup), FOLDERS: folders.join(' '), FILES: [...files.keys()].join(' ') },
      ...{
        POD_ENV: Object.entries(env)
          .map(([name, value]) => `${name}=${value}`)
          .join(' '),
      },
    },
  })
  // Keys and token by a pipe: never in an argument or in the environment.
  child.stdin?.end([...files.values()].map((text) => `${Buffer.from(text).toString('base64')}\n`).join(''))
  const said: string[] = []
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (part) => said.push(String(part)))
  const ended = new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? -1)))

  const portOf = (port: string | number) =>
    container.ports.find(({ name }) => name === port)?.containerPort ?? Number(port)
  const ask = (path: string, port: number, withinMs: number) =>
    new Promise<{ status: number; text: string }>((resolve) => {
      const request = http.get({ host: options.address, port, path, timeout: withinMs }, async (response) => {
        let text = ''
        for await (const part of response) text += String(part)
        resolve({ status: response.statusCode ?? 0, text })
      })
      request.on('timeout', () => request.destroy(new Error('late')))
      request.on('error', (error) => resolve({ status: 0, text: error.message }))
    })
  const pod: Pod = {
    name: options.name,
    pid: child.pid ?? 0,
    async probe(which) {
      const { httpGet, timeoutSeconds } = container[which]
      const { status } = await ask(httpGet.path, portOf(httpGet.port), timeoutSeconds * 1000)
      // A kubelet takes 200 to 399 for well.
      return status >= 200 && status < 400
    },
    page: async (path) => (await ask(path, portOf('metrics'), 30_000)).text,
    words: () => said.join(''),
    async stop() {
      child.kill('SIGTERM')
      const late = wait(spec.terminationGracePeriodSeconds * 1000, 'late' as const, { ref: false })
      const how = await Promise.race([ended, late])
      if (how === 'late') child.kill('SIGKILL')
      await ended
      return how
    },
  }
  await started(pod, container.startupProbe, child)
  return pod
}

async function started(pod: Pod, { periodSeconds, failureThreshold }: Probe, child: ChildProcess): Promise<void> {
  for (let tries = 0; tries < failureThreshold; tries++) {
    if (await pod.probe('startupProbe')) return
    if (child.exitCode !== null) throw new Error(`the container ended: ${pod.words().slice(-2000)}`)
    await wait(periodSeconds * 1000)
  }
  child.kill('SIGKILL')
  throw new Error(`a kubelet would have given up: ${pod.words().slice(-2000)}`)
}

/**
 * Runs as root in the new namespace: what the container sees of the host is /usr, /lib and the program, read-only. Then
 * becomes the pod's user without any privilege. `exec` to the end, so that a signal reaches the program itself.
 */
const SETUP = `
mount -t tmpfs -o mode=0755 pod /mnt
for folder in usr lib lib64 bin sbin; do
  if [ -L /$folder ]; then cp -P /$folder /mnt/$folder
  elif [ -d /$folder ]; then mkdir /mnt/$folder && mount --rbind /$folder /mnt/$folder && mount -o remount,bind,ro /mnt/$folder; fi
done
mkdir -p /mnt/proc /mnt/dev /mnt/run /mnt/var /mnt/tmp /mnt/ppn /mnt/node /mnt/old
ln -s ../run /mnt/var/run
mount -t proc proc /mnt/proc
for device in null urandom random; do touch /mnt/dev/$device && mount --bind /dev/$device /mnt/dev/$device; done
mount --bind "$NODE_FOLDER" /mnt/node
for part in "$REPOSITORY"/*; do
  name=\${part##*/}
  if [ -d "$part" ]; then mkdir /mnt/ppn/$name && mount --bind "$part" /mnt/ppn/$name; else cp "$part" /mnt/ppn/$name; fi
done
for folder in $FOLDERS; do mkdir -p /mnt$folder; chgrp "$FS_GROUP" /mnt$folder; chmod 2777 /mnt$folder; mount -t tmpfs -o mode=2777,gid="$FS_GROUP" empty /mnt$folder; done
for file in $FILES; do
  mkdir -p "/mnt\${file%/*}"
  read -r text
  echo "$text" | base64 -d > "/mnt$file"
  chgrp "$FS_GROUP" "/mnt$file"
  chmod 0440 "/mnt$file"
done
mount -o remount,ro /mnt
cd /mnt
pivot_root . old
umount -l /old
cd /
exec env -i PATH=/node $POD_ENV /usr/bin/setpriv --reuid "$RUN_AS" --regid "$RUN_GROUP" --groups "$FS_GROUP" \\
  --no-new-privs --inh-caps=-all --ambient-caps=-all --bounding-set=-all /node/node /ppn/cli/main.ts "$@" </dev/null
`

/** Of /proc/PID/status: what the kernel says the process may do. */
export async function privileges(pid: number): Promise<Record<string, string>> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8')
  return Object.fromEntries(text.split('\n').flatMap((line) => [line.split(/:\s+/, 2) as [string, string]]))
}
