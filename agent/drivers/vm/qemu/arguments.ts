// QEMU's argument list for one archive (qemu-system-x86_64(1), 7.2). Pure; pinned by a test.
import type { VmSpec } from '../port.ts'

export type Accelerator = 'kvm' | 'tcg'

/** The processor a guest sees: the host's own under KVM, all that TCG has without five-level paging otherwise. */
export const cpuModel = (accelerator: Accelerator): string => (accelerator === 'kvm' ? 'host' : 'max,la57=off')

/** Open files that QEMU gets with its start: it needs no right to any path of the state folder. */
export const DISK_FD = 3
export const CONSOLE_LOG_FD = 4

/** sun_path of unix(7) holds 108 bytes, the NUL included. */
const LONGEST_SOCKET_PATH = 107

export interface RunPaths {
  folder: string
  /** QMP of the agent. */
  qmp: string
  /** QMP for people: a second client of one socket gets no greeting. */
  people: string
  /** The serial port. */
  console: string
}

/** Throws when a socket's path would not fit. */
export function runPaths(runFolder: string, slot: number): RunPaths {
  const folder = `${runFolder}/${slot}`
  const paths = {
    folder,
    qmp: `${folder}/qmp`,
    people: `${folder}/qmp-people`,
    console: `${folder}/console`,
  }
  for (const path of Object.values(paths)) {
    if (Buffer.byteLength(path) > LONGEST_SOCKET_PATH)
      throw new Error(`${path} is longer than the ${LONGEST_SOCKET_PATH} bytes of a Unix socket's path`)
  }
  return paths
}

/** An id as QEMU and SMBIOS write it: 8-4-4-4-12. */
export function uuidOf(id: string): string {
  return id.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** QOM path of the balloon. */
export const BALLOON_PATH = '/machine/peripheral/balloon'
/** How often the guest is asked for its figures; also how soon its driver shows that it is there. */
const STATS_SECONDS = 1

/** The whole list. The guest does not run yet (-S): first its record is durable, then `cont`. */
export function qemuArguments(spec: VmSpec, paths: RunPaths, accelerator: Accelerator): string[] {
  return [
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-S'],
    ...['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'],
    ...['-name', `ppn-${spec.slot}`, '-uuid', uuidOf(spec.id)],
    // A guest that ended keeps its process until the agent has seen why: also when no agent runs at that moment.
    ...['-action', 'reboot=reset,shutdown=pause,panic=pause,watchdog=reset'],
    // Law 8: no core dump of QEMU holds the guest's memory, and no page of it is shared with another guest's.
    ...[
      '-machine',
      `q35,accel=${accelerator},dump-guest-core=off,mem-merge=off,smm=off,vmport=off,hpet=off,graphics=off`,
    ],
    // `max` without 57-bit addresses: five levels of page tables cost TCG time and no guest needs them.
    ...['-cpu', cpuModel(accelerator)],
    ...['-smp', `cpus=${spec.vcpus},sockets=1,cores=${spec.vcpus},threads=1`, '-m', `${spec.maxMiB}M`],
    ...['-rtc', 'base=utc', '-boot', 'strict=on'],
    ...['-add-fd', `fd=${DISK_FD},set=1,opaque=disk`, '-add-fd', `fd=${CONSOLE_LOG_FD},set=2,opaque=console`],
    ...['-blockdev', json({ driver: 'file', 'node-name': 'file', filename: '/dev/fdset/1', discard: 'unmap' })],
    ...['-blockdev', json({ driver: spec.format, 'node-name': 'disk', file: 'file', discard: 'unmap' })],
    // A full host disk pauses the guest; it goes on where it was when there is room again.
    ...['-device', 'virtio-blk-pci,drive=disk,bootindex=1,werror=stop,rerror=report'],
    ...[
      '-device',
      `virtio-balloon-pci,id=balloon,deflate-on-oom=on,free-page-reporting=on,guest-stats-polling-interval=${STATS_SECONDS}`,
    ],
    ...['-device', 'pvpanic', '-object', 'rng-builtin,id=rng', '-device', 'virtio-rng-pci,rng=rng'],
    ...['-chardev', `socket,id=qmp,path=${comma(paths.qmp)},server=on,wait=off`, '-mon', 'chardev=qmp,mode=control'],
    ...['-chardev', `socket,id=people,path=${comma(paths.people)},server=on,wait=off`],
    ...['-mon', 'chardev=people,mode=control'],
    ...[
      '-chardev',
      `socket,id=console,path=${comma(paths.console)},server=on,wait=off,logfile=/dev/fdset/2,logappend=on`,
    ],
    ...['-serial', 'chardev:console'],
  ]
}

const json = (value: unknown) => JSON.stringify(value)
/** QemuOpts: a comma inside a value is written twice. */
const comma = (path: string) => path.replaceAll(',', ',,')
