// protocol/vectors/registry.json: a registry of three lines, as an authority writes it.
import { openRegistry, REGISTRY_FILE } from '../authority/registry/registry.ts'
import { toBase64 } from '../protocol/keys.ts'
import { memoryFiles } from '../testing/memory-files.ts'
import { virtualClock } from '../testing/virtual-clock.ts'
import * as input from './vector-inputs.ts'

export async function registry() {
  const files = memoryFiles()
  const { nodeId, authoritySigning } = input
  const log = await openRegistry({
    files,
    clock: virtualClock(input.meshEpochMs),
    random: () => new Uint8Array(Buffer.from(input.enrolmentId, 'hex')),
    signing: authoritySigning,
  })
  const identity = {
    wireguardPublicKey: toBase64(input.nodeWireguard.publicKey),
    commandPublicKey: toBase64(input.nodeCommand.publicKey),
    signingPublicKey: toBase64(input.nodeSigning.publicKey),
  }
  await log.enrol('office', nodeId, identity, 'declared')
  await log.retire('office', 'replaced')
  await log.enrol('office', nodeId, identity, 'paired', 'person')
  const text = Buffer.from((await files.read(REGISTRY_FILE)) as Uint8Array).toString('utf8')
  return {
    signingPublicKey: toBase64(authoritySigning.publicKey),
    lines: text.trimEnd().split('\n'),
    head: log.head(),
  }
}
