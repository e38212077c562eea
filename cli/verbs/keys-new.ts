// `ppn keys new --secret NAME`: the keys of an authority on a cluster, made where the operator sits. The Secret goes to the
// cluster and nowhere else; the operator key never goes there.
import { newKeyFile } from '../../authority/keys/new-keys.ts'
import { sealOperatorKey } from '../../authority/keys/operator-file.ts'
import { systemRandom } from '../../base/random.ts'
import { fingerprint, fromBase64, generateEd25519 } from '../../protocol/keys.ts'
import { CliError, EXIT, type ExitCode } from '../exit.ts'
import type { Io } from '../io.ts'
import { writeNew } from '../new-file.ts'
import { readPassphrase } from '../passphrase.ts'

export interface KeysNewOptions {
  secret: string
  namespace: string
  operatorOut?: string
  operatorPublic?: string
  passphraseFile?: string
}

/** Prints the manifest of the Secret on standard output, and everything else on standard error. */
export async function keysNew(io: Io, options: KeysNewOptions): Promise<ExitCode> {
  if ((options.operatorOut === undefined) === (options.operatorPublic === undefined))
    throw new CliError(
      EXIT.usage,
      'an authority needs an operator key over it',
      'name a new file for it with --operator-out, or give the public half of one with --operator-public',
    )
  if (io.terminal)
    throw new CliError(
      EXIT.usage,
      'the Secret would show on this terminal',
      `ppn keys new --secret ${options.secret} --operator-out FILE | kubectl create -f -`,
    )
  const operator = await operatorKey(io, options)
  const bytes = await newKeyFile({ random: systemRandom, clock: io.clock }, operator)
  const { secret, namespace } = options
  io.out(`apiVersion: v1
kind: Secret
metadata:
  name: ${secret}
  namespace: ${namespace}
type: Opaque
immutable: true
data:
  authority: ${Buffer.from(bytes).toString('base64')}
`)
  return EXIT.ok
}

/** The public half; the secret one is sealed into a new file. */
async function operatorKey(io: Io, options: KeysNewOptions): Promise<Uint8Array> {
  if (options.operatorPublic !== undefined) return fromBase64(options.operatorPublic, 32)
  const passphrase = await readPassphrase(io, options.passphraseFile, 'passphrase for the operator key: ')
  const made = generateEd25519(systemRandom)
  const path = await writeNew(
    io,
    options.operatorOut as string,
    await sealOperatorKey(made.secretKey, passphrase, systemRandom),
  )
  io.err(`operator key ${fingerprint(made.publicKey)}\n${path}: keep it and its passphrase off the cluster\n`)
  return made.publicKey
}
