// What an authority needs of its machine. Pure.
import { networkFileSystem } from '../../stores/common/network-fs.ts'
import { type Check, lacks, ok, warns } from './finding.ts'
import type { MachineFacts } from './machine.ts'

export interface AuthorityFacts extends MachineFacts {
  /** Why keys must not lie in the state folder (git work tree, network file system); undefined: they may. */
  stateRefusal: { message: string; hint: string } | undefined
  fleet: { path: string; exists: boolean; fileSystem: number; objects: number; errors: number; git: boolean }
  /** Is the secret half of the operator key still on this machine? */
  operatorSecret: string | undefined
}

export const AUTHORITY_CHECKS: Check<AuthorityFacts>[] = [
  ({ stateRefusal }) => stateRefusal && lacks('state folder', stateRefusal.message, stateRefusal.hint),
  ({ fleet }) => {
    if (!fleet.exists)
      return lacks('fleet folder', `there is no ${fleet.path}`, `mkdir -p ${fleet.path}, then declare nodes in it`)
    if (fleet.errors > 0)
      return lacks('fleet folder', `${fleet.errors} errors in ${fleet.path}`, `ppn validate ${fleet.path}`)
    return fleet.objects > 0
      ? ok('fleet folder', `${fleet.path}, ${fleet.objects} objects`)
      : warns('fleet folder', `${fleet.path} declares nothing`, 'see examples/office of the package')
  },
  ({ fleet }) => {
    const type = fleet.exists ? networkFileSystem(fleet.fileSystem) : undefined
    return type === undefined
      ? undefined
      : warns(
          'fleet changes',
          `${fleet.path} lies on ${type}: it is polled, not watched`,
          'a local clone is seen at once',
        )
  },
  ({ fleet }) =>
    !fleet.exists || fleet.git
      ? undefined
      : warns(
          'history',
          `${fleet.path} is no git work tree`,
          `git -C ${fleet.path} init, so that changes have a history`,
        ),
  ({ operatorSecret }) =>
    operatorSecret === undefined
      ? undefined
      : warns(
          'operator key',
          `its secret half is still here: ${operatorSecret}`,
          'move it off this machine: it replaces a lost or stolen authority',
        ),
]
