// An agent's receiver behind a real UDP socket, in a process of its own: counts what it discards and what that costs.
// Arguments: its mesh address, its port. Says `{ address, port }` when bound; answers every message with its figures.

import { initAgentKeys } from '../../agent/keys/agent-keys.ts'
import { createKeyring } from '../../agent/keys/keyring.ts'
import { initMarks, openMarks } from '../../agent/marks/journal.ts'
import { createReceiver } from '../../agent/receiver/receiver.ts'
import { refusalCounters } from '../../agent/receiver/refusals.ts'
import { systemClock } from '../../base/clock.ts'
import { silentLogger } from '../../base/log.ts'
import { loopbackTransport } from '../../base/loopback-transport.ts'
import { systemRandom } from '../../base/random.ts'
import type { TargetByte } from '../../protocol/ids.ts'
import { generateX25519, toBase64 } from '../../protocol/keys.ts'
import { memoryFiles } from '../../testing/memory-files.ts'
import { monotonicMs } from './monotonic.ts'

export interface ReceiverFigures {
  discarded: number
  nowMs: number
  cpuMs: number
}

const [address = '', authority = '', port = '0'] = process.argv.slice(2)
const files = memoryFiles()
await initMarks(files)
const keys = await initAgentKeys(files, systemRandom)
const receiver = createReceiver({
  clock: systemClock(),
  log: silentLogger(),
  refusals: refusalCounters(),
  marks: await openMarks(files),
  term: { current: () => 1, durable: () => 1, raise: async () => {} },
  clockSynchronised: () => true,
  forbidden: () => undefined,
  onGenuine() {},
  onCommand() {},
})
receiver.use({
  target: Number(address.split('.')[3]) as TargetByte,
  addresses: new Set([authority]),
  meshEpochMs: 0,
  keyring: createKeyring({
    ...{ meshId: '1'.repeat(32), nodeId: '2'.repeat(32), enrolmentId: '3'.repeat(32) },
    authorities: [{ id: '4'.repeat(32), commandPublicKey: toBase64(generateX25519(systemRandom).publicKey) }],
    keys,
  }),
})
await loopbackTransport().bindUdp(address, Number(port), receiver.receive)
const figures = (): ReceiverFigures => {
  const { user, system } = process.cpuUsage()
  return { discarded: receiver.notForUs(), nowMs: monotonicMs(), cpuMs: (user + system) / 1000 }
}
process.on('message', () => process.send?.(figures()))
process.on('disconnect', () => process.exit())
process.send?.(figures())
