// `ppn restore`: a state folder from a backup, or a cluster whose etcd was put back.
import { CliError, EXIT, type ExitCode } from '../exit.ts'
import type { Io } from '../io.ts'

export interface RestoreOptions {
  state?: string
  passphraseFile?: string
  cluster?: boolean
  kubeconfig?: string
  context?: string
  namespace: string
}

export async function restore(io: Io, file: string | undefined, options: RestoreOptions): Promise<ExitCode> {
  const { state, cluster = false } = options
  if (cluster !== (file === undefined))
    throw new CliError(EXIT.usage, 'a FILE, or --cluster', 'e.g. ppn restore fleet.ppn --state DIR')
  if (cluster) return (await import('./migrate.ts')).restoreOnCluster(io, { ...options, secret: '' })
  if (state === undefined) throw new CliError(EXIT.usage, 'where to? --state is missing', 'an empty or missing folder')
  return (await import('./backup.ts')).restore(io, file as string, { ...options, state })
}
