// A whole fleet for one benchmark: its folder, its authority, its simulated agents, all on this machine.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Simulation, startSimulation } from '../../agent/simulated/client.ts'
import { type AdminClient, connectAdmin } from '../../authority/admin/client.ts'
import { silentLogger } from '../../base/log.ts'
import { type BenchAuthority, startBenchAuthority } from './authority.ts'
import { declaredNodes, type FleetShape, writeFleet } from './folder.ts'

/** Agents keep what they keep in memory: a real fleet has a disk a node, this machine has one for 254. */
export const AGENT_STATE = '/dev/shm'

export interface BenchFleet {
  shape: FleetShape
  folder: string
  authority: BenchAuthority
  /** SIGKILL, and a new process over the same state at once. */
  restartAuthority(): Promise<void>
  stop(): Promise<void>
}

async function giveFirstBundle(admin: AdminClient, simulation: Simulation, name: string): Promise<void> {
  for (;;) {
    try {
      const { armored, fingerprint } = await admin.bundle(name)
      await simulation.import(name, armored, fingerprint)
      return
    } catch (error) {
      // The bundle is there as soon as the Node has been reconciled after its enrolment.
      if ((error as { code?: string }).code !== 'NothingWanted') throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

/** A machine with other work takes its time; it is no row of the table. */
const FIRST_CONVERGENCE_MS = 900_000

/** Resolves when everything is Ready. */
export async function startBenchFleet(shape: FleetShape): Promise<BenchFleet> {
  const disk = await mkdtemp(path.join(tmpdir(), 'ppn-bench-'))
  const memory = await mkdtemp(path.join(AGENT_STATE, 'ppn-bench-'))
  const folder = path.join(disk, 'fleet')
  const settings = { fleet: folder, state: path.join(disk, 'state') }
  const ending = new AbortController()
  let simulation: Simulation | undefined
  let authority: BenchAuthority | undefined
  const stop = async () => {
    await authority?.stop()
    await simulation?.stop()
    ending.abort(new Error('the benchmark is over'))
    await rm(disk, { recursive: true, force: true })
    await rm(memory, { recursive: true, force: true })
  }
  try {
    await writeFleet(folder, shape)
    authority = await startBenchAuthority(settings)
    const nodes = declaredNodes(shape)
    const running = await startSimulation({
      folder: memory,
      nodes,
      log: silentLogger(),
      logLevel: 'error',
      signal: ending.signal,
    })
    simulation = running
    const admin = await connectAdmin(settings.state)
    if (!admin) throw new Error('the authority does not answer')
    await Promise.all(nodes.map(async ({ name }) => admin.enrol(name, await running.identity(name))))
    await Promise.all(nodes.map(({ name }) => giveFirstBundle(admin, running, name)))
    await authority.ready(FIRST_CONVERGENCE_MS)
    return {
      shape,
      folder,
      get authority() {
        return authority as BenchAuthority
      },
      async restartAuthority() {
        await authority?.kill()
        authority = await startBenchAuthority(settings)
      },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}
