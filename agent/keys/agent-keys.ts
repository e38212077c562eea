// The node's own key pairs. Made here, never leave (law 10): files of 32 raw bytes, mode 0600 by `Files`.
import type { NodeIdentity } from '../../api/v1alpha1/node.ts'
import { PpnError } from '../../base/errors.ts'
import type { Files } from '../../base/files.ts'
import type { RandomBytes } from '../../base/random.ts'
import {
  ed25519PublicKey,
  generateEd25519,
  generateX25519,
  type KeyPair,
  toBase64,
  x25519PublicKey,
} from '../../protocol/keys.ts'

const KEY_BYTES = 32

export interface AgentKeys {
  wireguard: KeyPair
  command: KeyPair
  signing: KeyPair
  /** Made by REKEY, not in use yet. */
  pending: { command?: KeyPair; wireguard?: KeyPair }
}

type KeyName = 'wireguard' | 'command' | 'signing' | 'command.pending' | 'wireguard.pending'

async function readKey(files: Files, name: KeyName): Promise<KeyPair | undefined> {
  const secretKey = await files.read(name)
  if (!secretKey) return undefined
  if (secretKey.length !== KEY_BYTES) throw new PpnError('AgentKeyUnreadable', { name, length: secretKey.length })
  const publicKey = name === 'signing' ? ed25519PublicKey(secretKey) : x25519PublicKey(secretKey)
  return { secretKey, publicKey }
}

/** The keys, or undefined when none were made yet. Throws AgentKeyUnreadable rather than replace a damaged one. */
export async function loadAgentKeys(files: Files): Promise<AgentKeys | undefined> {
  const keys = files.sub('keys')
  const [wireguard, command, signing] = await Promise.all([
    readKey(keys, 'wireguard'),
    readKey(keys, 'command'),
    readKey(keys, 'signing'),
  ])
  if (!wireguard || !command || !signing) return undefined
  const [pendingCommand, pendingWireguard] = await Promise.all([
    readKey(keys, 'command.pending'),
    readKey(keys, 'wireguard.pending'),
  ])
  return {
    wireguard,
    command,
    signing,
    pending: {
      ...(pendingCommand && { command: pendingCommand }),
      ...(pendingWireguard && { wireguard: pendingWireguard }),
    },
  }
}

/** Makes what is missing (a first start, or one cut short), keeps what is there. */
export async function initAgentKeys(files: Files, random: RandomBytes): Promise<AgentKeys> {
  const keys = files.sub('keys')
  const ensure = async (name: KeyName, make: () => KeyPair): Promise<KeyPair> => {
    const there = await readKey(keys, name)
    if (there) return there
    const made = make()
    await keys.write(name, made.secretKey)
    return made
  }
  await ensure('wireguard', () => generateX25519(random))
  await ensure('command', () => generateX25519(random))
  await ensure('signing', () => generateEd25519(random))
  return (await loadAgentKeys(files))!
}

/** REKEY: a pending key of this use is kept, so that asking twice reports one key. */
export async function makePendingKey(
  files: Files,
  keys: AgentKeys,
  use: 'command' | 'wireguard',
  random: RandomBytes,
): Promise<AgentKeys> {
  if (keys.pending[use]) return keys
  const made = generateX25519(random)
  await files.sub('keys').write(`${use}.pending`, made.secretKey)
  return { ...keys, pending: { ...keys.pending, [use]: made } }
}

/** The pending key of this use becomes the one in use. Repeating it after a crash between the two writes is safe. */
export async function promotePendingKey(
  files: Files,
  keys: AgentKeys,
  use: 'command' | 'wireguard',
): Promise<AgentKeys> {
  const promoted = keys.pending[use]
  if (!promoted) return keys
  await files.sub('keys').write(use, promoted.secretKey)
  await files.sub('keys').remove(`${use}.pending`)
  const { [use]: _used, ...pending } = keys.pending
  return { ...keys, [use]: promoted, pending }
}

export function publicHalves(keys: AgentKeys): NodeIdentity {
  return {
    wireguardPublicKey: toBase64(keys.wireguard.publicKey),
    commandPublicKey: toBase64(keys.command.publicKey),
    signingPublicKey: toBase64(keys.signing.publicKey),
  }
}

/** What an operator writes into `Node.spec.identity`. Throws AgentKeyUnreadable when there are no keys yet. */
export async function identityOf(files: Files): Promise<NodeIdentity> {
  const keys = await loadAgentKeys(files)
  if (!keys) throw new PpnError('AgentKeyUnreadable', { name: 'keys', length: 0 })
  return publicHalves(keys)
}
