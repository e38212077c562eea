import { resolve } from 'node:path'
import { connectAdmin } from '../../authority/admin/client.ts'
import { CliError, EXIT, type ExitCode } from '../exit.ts'
import type { Io } from '../io.ts'
import { readPassphrase } from '../passphrase.ts'
import { findStateFolder } from '../state.ts'

export interface BackupOptions {
  state?: string
  passphraseFile?: string
}

/** `ppn backup FILE`: keys, facts, registry and audit, encrypted, as one file that is there whole or not at all. */
export async function backup(io: Io, file: string, options: BackupOptions): Promise<ExitCode> {
  const folder = await findStateFolder(io, options.state)
  const path = resolve(io.cwd, file)
  const passphrase = await readPassphrase(io, options.passphraseFile, 'passphrase for the backup: ')
  const client = await connectAdmin(folder)
  const done = client ? await client.backup(path, passphrase) : await backupStopped(folder, path, passphrase)
  io.out(`${done.path}: ${done.bytes} bytes\n`)
  return EXIT.ok
}

async function backupStopped(folder: string, path: string, passphrase: string) {
  const { backupState } = await import('../../authority/backup/backup.ts')
  return await backupState(folder, path, passphrase)
}

/** `ppn restore FILE --state DIR`: makes a state folder; the authority that starts on it goes carefully. */
export async function restore(io: Io, file: string, options: BackupOptions & { state: string }): Promise<ExitCode> {
  const folder = resolve(io.cwd, options.state)
  if (await connectAdmin(folder)) throw new CliError(EXIT.failed, `an authority runs on ${folder}`, 'stop it first')
  const passphrase = await readPassphrase(io, options.passphraseFile, 'passphrase of the backup: ')
  const { restoreState } = await import('../../authority/backup/backup.ts')
  const { checkStateFolder } = await import('../../stores/sqlite/state-folder.ts')
  const mark = await restoreState(checkStateFolder(folder), resolve(io.cwd, file), passphrase)
  io.out(`${folder}: state of ${new Date(mark.createdMs).toISOString()}\n`)
  io.out(
    `start it with: ppn up DIR --state ${options.state}\nuntil a node has been heard it is sent only PING, ISOLATE and SEVER\n`,
  )
  return EXIT.ok
}
