// What kube-apiserver and etcd are told: a cluster of one, on loopback, with authorization, admission and audit as in
// earnest. https://kubernetes.io/docs/reference/command-line-tools-reference/kube-apiserver/

export interface Places {
  /** A folder of its own, gone with the cluster. */
  folder: string
  apiPort: number
  etcdPort: number
  etcdPeerPort: number
}

export const file = (places: Places, name: string) => `${places.folder}/${name}`

/** Everything that writes, and what it wrote as metadata: who, what, when, how it ended. Reads are counted as well. */
export const AUDIT_POLICY = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
`

export function etcdArgs(places: Places): string[] {
  const client = `http://127.0.0.1:${places.etcdPort}`
  const peer = `http://127.0.0.1:${places.etcdPeerPort}`
  return [
    `--data-dir=${file(places, 'etcd')}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    // The folder is thrown away: nothing in it has to outlive a power cut.
    '--unsafe-no-fsync',
    '--log-level=error',
  ]
}

export function apiServerArgs(places: Places): string[] {
  return [
    `--etcd-servers=http://127.0.0.1:${places.etcdPort}`,
    '--bind-address=127.0.0.1',
    '--advertise-address=127.0.0.1',
    `--secure-port=${places.apiPort}`,
    // Makes its own certificate there, and the authority that signed it.
    `--cert-dir=${file(places, 'certificates')}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${file(places, 'service-account.key')}`,
    `--service-account-signing-key-file=${file(places, 'service-account.key')}`,
    // Of documentation (RFC 5737): no service is ever reached.
    '--service-cluster-ip-range=192.0.2.0/24',
    '--endpoint-reconciler-type=none',
    '--authorization-mode=RBAC',
    `--token-auth-file=${file(places, 'tokens.csv')}`,
    `--audit-policy-file=${file(places, 'audit-policy.yaml')}`,
    `--audit-log-path=${file(places, 'audit.log')}`,
    '--audit-log-mode=blocking',
    '--profiling=false',
  ]
}
