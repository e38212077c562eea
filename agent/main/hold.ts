import { PpnError } from '../../base/errors.ts'
import { holdAbstractLock, type Lock } from '../../base/lock.ts'

/**
 * Holds a node's state folder (a resolved path) for this process. Throws AgentRuns when another one has it. The lock
 * is of the network namespace (unix(7)): whoever looks after a namespace's agent does so from within.
 */
export async function holdStateFolder(state: string): Promise<Lock> {
  try {
    return await holdAbstractLock(`ppn-agent:${state}`)
  } catch (error) {
    if (error instanceof PpnError && error.code === 'FileLocked') throw new PpnError('AgentRuns', { path: state })
    throw error
  }
}
