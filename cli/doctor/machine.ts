// What node and authority both need of a machine.
import { networkFileSystem } from '../../stores/common/network-fs.ts'
import { type Check, lacks, ok, warns } from './finding.ts'

export interface MachineFacts {
  /** `process.version`. */
  nodeVersion: string
  /** Does systemd run this machine? */
  systemd: boolean
  clockSynchronised: boolean
  inotify: { instances: number; watches: number } | undefined
  /** The state folder, or the nearest one above it that is there. */
  state: { path: string; exists: boolean; mode: number; fileSystem: number; freeMiB: number }
  /** Private files that others may read, with their modes. */
  openKeys: { path: string; mode: number }[]
  /** Is the service installed, and does it run? */
  service: { installed: boolean; active: boolean }
  /** Listening sockets of any program: `udp 51820`. */
  listening: readonly string[]
}

export interface MachineNeeds {
  service: 'agent' | 'authority'
  /** Free on a machine whose service does not run. */
  ports: readonly string[]
  leastFreeMiB: number
}

const NEEDED_MAJOR = 24
const octal = (mode: number) => (mode & 0o777).toString(8).padStart(4, '0')

export const machineChecks = ({ service, ports, leastFreeMiB }: MachineNeeds): Check<MachineFacts>[] => [
  ({ nodeVersion }) =>
    Number(nodeVersion.slice(1).split('.')[0]) >= NEEDED_MAJOR
      ? ok('Node.js', nodeVersion)
      : lacks('Node.js', `${nodeVersion}, ppn needs ${NEEDED_MAJOR}`, 'reinstall without --omit=optional'),
  ({ systemd, service: unit }) => {
    if (!systemd) return warns('systemd', 'does not run this machine', `start ppn ${service} by what does`)
    if (!unit.installed) return warns('service', `ppn-${service} is not installed`, `ppn service install ${service}`)
    return unit.active
      ? ok('service', `ppn-${service} runs`)
      : warns('service', `ppn-${service} is installed and does not run`, `systemctl enable --now ppn-${service}`)
  },
  ({ clockSynchronised, systemd }) =>
    clockSynchronised
      ? ok('clock', 'synchronised')
      : warns(
          'clock',
          'not synchronised: commands are not refused by age, and stamps may be wrong',
          systemd ? 'apt-get install -y systemd-timesyncd && timedatectl set-ntp true' : 'run an NTP client',
        ),
  ({ inotify }) =>
    inotify === undefined || inotify.instances >= 128
      ? ok('inotify', inotify ? `${inotify.instances} instances, ${inotify.watches} watches` : 'no limits to be read')
      : warns(
          'inotify',
          `only ${inotify.instances} instances a user`,
          'sysctl -w fs.inotify.max_user_instances=512 (and into /etc/sysctl.d/)',
        ),
  ({ state }) => {
    const type = networkFileSystem(state.fileSystem)
    if (type !== undefined)
      return lacks('state folder', `${state.path} lies on a network file system (${type})`, 'choose a local disk')
    if (!state.exists) return ok('state folder', `${state.path} will be made`)
    return (state.mode & 0o077) === 0
      ? ok('state folder', `${state.path}, mode ${octal(state.mode)}`)
      : lacks('state folder', `${state.path} has mode ${octal(state.mode)}`, `chmod 0700 ${state.path}`)
  },
  ({ state }) =>
    state.freeMiB >= leastFreeMiB
      ? ok('disk space', `${state.freeMiB} MiB free for ${state.path}`)
      : warns('disk space', `${state.freeMiB} MiB free for ${state.path}`, `make room: ${leastFreeMiB} MiB is little`),
  ({ openKeys: [first, ...others] }) =>
    first
      ? lacks(
          'private files',
          `others may read ${first.path} (${octal(first.mode)})${others.length > 0 ? ` and ${others.length} more` : ''}`,
          `chmod 0600 ${[first, ...others].map(({ path }) => path).join(' ')}`,
        )
      : undefined,
  ({ listening, service: unit }) => {
    const taken = ports.filter((port) => listening.includes(port))
    if (unit.active || taken.length === 0)
      return ok('ports', taken.length > 0 ? `${taken.join(', ')} in use by the service` : `${ports.join(', ')} free`)
    const [protocol = 'tcp', number = ''] = (taken[0] as string).split(' ')
    return warns(
      'ports',
      `${taken.join(', ')} in use while the service does not run`,
      `find by whom: ss -lpn -${protocol === 'udp' ? 'u' : 't'} sport = :${number}`,
    )
  },
]
