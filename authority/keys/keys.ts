// The authority's keys, in the folder `keys/` of its state (0600, law 10):
//   authority         canonical JSON: ids, mesh epoch, both secret keys, and the public half of the operator key
//   operator.public   the operator key of a fleet to be, made offline before its first start, base64
//   operator.secret   the secret half of the operator key, base64; the operator moves it offline
// `authority` is written last and in one piece: with it the key set exists, without it nothing has been signed yet.
import { z } from 'zod'
import type { Clock } from '../../base/clock.ts'
import { PpnError } from '../../base/errors.ts'
import type { Files } from '../../base/files.ts'
import { type RandomBytes, randomId } from '../../base/random.ts'
import { canonicalBytes, parseCanonical } from '../../protocol/canonical.ts'
import type { AuthorityId, MeshId } from '../../protocol/ids.ts'
import {
  ed25519PublicKey,
  fromBase64,
  generateEd25519,
  generateX25519,
  type KeyPair,
  toBase64,
  x25519PublicKey,
} from '../../protocol/keys.ts'

export const AUTHORITY_FILE = 'authority'
export const OPERATOR_FILE = 'operator.secret'
export const OPERATOR_PUBLIC_FILE = 'operator.public'
const FORMER_KEPT = 16

/** The secret halves are not enumerable: neither JSON, nor the logger, nor an inspection shows them. */
export interface Keys {
  authorityId: AuthorityId
  meshId: MeshId
  /** X25519: command and telemetry keys are derived from it. */
  command: KeyPair
  /** Ed25519: bundles and registry lines. */
  signing: KeyPair
  /** Ed25519, public half only. */
  operator: { publicKey: Uint8Array }
  /** Ed25519: what this fleet's authorities signed with before this one. */
  formerSigning: readonly Uint8Array[]
  /** The instant from which sequences count, milliseconds since 1970. */
  meshEpochMs: number
}

export interface LoadedKeys {
  keys: Keys
  /** Made just now. */
  created: boolean
  /** The operator's secret half still lies beside them: say so until it is moved offline. */
  operatorSecretPresent: boolean
}

export const OPERATOR_ADVICE =
  'keys/operator.secret replaces a lost or stolen authority: move it off this machine, to paper or a token, now'

const keyText = z.string().length(44)
const id = z.string().regex(/^[0-9a-f]{32}$/)
const stored = z.strictObject({
  version: z.literal(1),
  authorityId: id,
  meshId: id,
  meshEpochMs: z.int().min(0),
  commandSecretKey: keyText,
  commandPublicKey: keyText,
  signingSecretKey: keyText,
  signingPublicKey: keyText,
  operatorPublicKey: keyText,
  formerSigningPublicKeys: z.array(keyText).max(FORMER_KEPT).optional(),
})

const unreadable = (file: string, why: string, cause?: unknown): never => {
  throw new PpnError('KeysUnreadable', { file, why }, { cause })
}

function decodeKey(file: string, name: string, text: string): Uint8Array {
  try {
    return fromBase64(text, 32)
  } catch (cause) {
    return unreadable(file, `${name} is no key`, cause)
  }
}

function hidden(secretKey: Uint8Array, publicKey: Uint8Array): KeyPair {
  return Object.defineProperty({ publicKey } as KeyPair, 'secretKey', { value: secretKey, enumerable: false })
}

/** A pair read back: the public half must be the secret one's, or a byte was changed. */
function pair(name: string, secret: string, publicText: string, derive: (secret: Uint8Array) => Uint8Array): KeyPair {
  const secretKey = decodeKey(AUTHORITY_FILE, name, secret)
  const publicKey = derive(secretKey)
  if (toBase64(publicKey) !== publicText) unreadable(AUTHORITY_FILE, `the halves of ${name} do not belong together`)
  return hidden(secretKey, publicKey)
}

function decode(bytes: Uint8Array): Keys {
  let value: z.output<typeof stored>
  try {
    value = stored.parse(parseCanonical(bytes))
  } catch {
    // The cause may quote what it could not parse, which is a secret.
    return unreadable(AUTHORITY_FILE, 'it is not what was written')
  }
  return {
    authorityId: value.authorityId,
    meshId: value.meshId,
    command: pair('the command key', value.commandSecretKey, value.commandPublicKey, x25519PublicKey),
    signing: pair('the signing key', value.signingSecretKey, value.signingPublicKey, ed25519PublicKey),
    operator: { publicKey: decodeKey(AUTHORITY_FILE, 'the operator key', value.operatorPublicKey) },
    formerSigning: (value.formerSigningPublicKeys ?? []).map((key) =>
      decodeKey(AUTHORITY_FILE, 'a former signing key', key),
    ),
    meshEpochMs: value.meshEpochMs,
  }
}

/** The operator's public half; a secret that an interrupted first start left is used, not replaced. */
async function operatorKey(files: Files, random: RandomBytes): Promise<Uint8Array> {
  const found = await files.read(OPERATOR_FILE)
  if (found) return ed25519PublicKey(decodeKey(OPERATOR_FILE, 'it', Buffer.from(found).toString('utf8').trim()))
  const given = await files.read(OPERATOR_PUBLIC_FILE)
  if (given) return decodeKey(OPERATOR_PUBLIC_FILE, 'it', Buffer.from(given).toString('utf8').trim())
  const made = generateEd25519(random)
  await files.write(OPERATOR_FILE, Buffer.from(`${toBase64(made.secretKey)}\n`))
  return made.publicKey
}

async function create(files: Files, random: RandomBytes, clock: Clock): Promise<Keys> {
  const operatorPublicKey = await operatorKey(files, random)
  return makeKeys(files, random, {
    meshId: randomId(random),
    operatorPublicKey,
    formerSigning: [],
    meshEpochMs: clock.now(),
  })
}

/** What stays of a fleet when its authority gets other keys. */
export interface FleetIdentity {
  meshId: MeshId
  operatorPublicKey: Uint8Array
  /** Newest first. */
  formerSigning: readonly Uint8Array[]
  meshEpochMs: number
}

/** Keys and id that nobody had before, in place of whatever is there: only with a document of the operator key. */
export async function makeKeys(files: Pick<Files, 'write'>, random: RandomBytes, fleet: FleetIdentity): Promise<Keys> {
  return writeKeys(files, {
    ...fleet,
    authorityId: randomId(random),
    command: generateX25519(random),
    signing: generateEd25519(random),
  })
}

async function writeKeys(
  files: Pick<Files, 'write'>,
  keys: FleetIdentity & { authorityId: AuthorityId; command: KeyPair; signing: KeyPair },
): Promise<Keys> {
  const { command, signing, formerSigning } = keys
  const former = formerSigning.slice(0, FORMER_KEPT).map(toBase64)
  const bytes = canonicalBytes({
    version: 1,
    authorityId: keys.authorityId,
    meshId: keys.meshId,
    meshEpochMs: keys.meshEpochMs,
    commandSecretKey: toBase64(command.secretKey),
    commandPublicKey: toBase64(command.publicKey),
    signingSecretKey: toBase64(signing.secretKey),
    signingPublicKey: toBase64(signing.publicKey),
    operatorPublicKey: toBase64(keys.operatorPublicKey),
    ...(former.length > 0 && { formerSigningPublicKeys: former }),
  })
  await files.write(AUTHORITY_FILE, bytes)
  return decode(bytes)
}

/** The same authority under the next operator key. */
export async function takeOperatorKey(files: Files, keys: Keys, operatorPublicKey: Uint8Array): Promise<Keys> {
  return writeKeys(files, { ...keys, command: keys.command, signing: keys.signing, operatorPublicKey })
}

/** The keys that are there. Throws KeysMissing, KeysUnreadable. */
export async function readKeys(files: Pick<Files, 'read'>): Promise<Keys> {
  const bytes = await files.read(AUTHORITY_FILE)
  if (!bytes) throw new PpnError('KeysMissing')
  return decode(bytes)
}

/**
 * Reads the keys from `files` (the folder `keys/`), or makes them when there are none and `mayCreate`, which the
 * caller gives only for a state folder without any other fact. Throws KeysMissing when they ought to be there, and
 * KeysUnreadable for anything but what was written; nothing is ever replaced.
 */
export async function loadOrCreateKeys(options: {
  files: Files
  random: RandomBytes
  clock: Clock
  mayCreate: boolean
}): Promise<LoadedKeys> {
  const { files, random, clock, mayCreate } = options
  const bytes = await files.read(AUTHORITY_FILE)
  if (!bytes && !mayCreate) throw new PpnError('KeysMissing')
  const keys = bytes ? decode(bytes) : await create(files, random, clock)
  return { keys, created: !bytes, operatorSecretPresent: (await files.read(OPERATOR_FILE)) !== undefined }
}
