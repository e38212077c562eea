// Keys of an authority that has no folder to make them in: as bytes, for a Secret.
import type { Clock } from '../../base/clock.ts'
import type { Files } from '../../base/files.ts'
import { type RandomBytes, randomId } from '../../base/random.ts'
import { AUTHORITY_FILE, makeKeys } from './keys.ts'

/** Contents of the file `authority` for a fleet that begins now. Secret. */
export async function newKeyFile(
  options: { random: RandomBytes; clock: Pick<Clock, 'now'> },
  operatorPublicKey: Uint8Array,
): Promise<Uint8Array> {
  const written = new Map<string, Uint8Array>()
  const files: Pick<Files, 'write'> = { write: async (name, bytes) => void written.set(name, bytes) }
  await makeKeys(files, options.random, {
    meshId: randomId(options.random),
    operatorPublicKey,
    formerSigning: [],
    meshEpochMs: options.clock.now(),
  })
  return written.get(AUTHORITY_FILE) as Uint8Array
}
