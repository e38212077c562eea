// Which programs, and how each is built. The versions are those of go.mod; docs/kubernetes.md says how to raise them.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Folder of go.mod. */
export const HERE = import.meta.dirname

export const PROGRAMS = {
  etcd: 'go.etcd.io/etcd/server/v3',
  kubectl: 'k8s.io/kubernetes/cmd/kubectl',
  'kube-apiserver': 'k8s.io/kubernetes/cmd/kube-apiserver',
} as const

export type Program = keyof typeof PROGRAMS

/** The Kubernetes release that go.mod pins: `v1.36.3`. */
export function kubernetesVersion(goMod = readFileSync(join(HERE, 'go.mod'), 'utf8')): string {
  const version = /^\tk8s\.io\/kubernetes (v\S+)/m.exec(goMod)?.[1]
  if (version === undefined) throw new Error('go.mod names no k8s.io/kubernetes')
  return version
}

/** The programs say which release they are; no symbols, as nobody debugs them here: a third of the size. */
export function linkerFlags(version: string): string {
  const [major, minor] = version.slice(1).split('.')
  const stamp = { gitVersion: version, gitMajor: major, gitMinor: minor, gitTreeState: 'clean' }
  const stamps = Object.entries(stamp).map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`)
  return ['-s', '-w', ...stamps].join(' ')
}

/** Names everything that a build depends on, but the Go release: what it builds behaves alike. */
export function buildId(): string {
  const hash = createHash('sha256')
  for (const file of ['go.mod', 'go.sum']) hash.update(readFileSync(join(HERE, file)))
  hash.update(linkerFlags(kubernetesVersion())).update(`${process.platform}-${process.arch}`)
  return hash.digest('hex').slice(0, 16)
}
