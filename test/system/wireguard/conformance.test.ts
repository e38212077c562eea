// The suite that the simulated driver passes, on the real one: two machines, one wire.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll } from 'vitest'
import { wireguardConformance } from '../../../agent/drivers/conformance/wireguard.ts'
import { systemProcesses } from '../../../base/processes.ts'
import { endMarked, newMark, sweepOrphans } from '../../lab/marks.ts'
import { buildNetwork } from '../../lab/network.ts'
import { parseTopology } from '../../lab/topology.ts'
import { type Machine, NAME, newKeys, startMachine } from './machine.ts'

const mark = newMark(true)
let folder: string
let hub: Machine
let spoke: Machine

beforeAll(async () => {
  await sweepOrphans()
  folder = await mkdtemp(path.join(tmpdir(), 'ppn-wg-'))
  const topology = parseTopology({
    segments: { wire: { cidr: '192.0.2.0/24' } },
    hosts: { hub: { segment: 'wire' }, spoke: { segment: 'wire' } },
  })
  const network = await buildNetwork({ processes: systemProcesses(), mark, topology })
  hub = await startMachine(network.host('hub'), '10.8.0.1', path.join(folder, 'hub'))
  spoke = await startMachine(network.host('spoke'), '10.8.0.2', path.join(folder, 'spoke'))
})
afterAll(async () => {
  await hub?.stop()
  await spoke?.stop()
  await endMarked(mark.id)
  await rm(folder, { recursive: true, force: true })
})

wireguardConformance(
  'real',
  async () => ({
    hub,
    spoke,
    hubEndpoint: '192.0.2.10:51820',
    nowhere: '192.0.2.77:51820',
    stranger: newKeys(),
    pass: sleep,
    // A handshake that comes a moment early is tried again after 5 s.
    handshakeMs: 8_000,
    close: async () => {
      await hub.driver.remove(NAME)
      await spoke.driver.remove(NAME)
    },
  }),
  { minutes: false },
)
