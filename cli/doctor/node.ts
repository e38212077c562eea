// What a node needs of its machine. Pure.
import { type Check, lacks, lacksPackages, ok, warns } from './finding.ts'
import type { MachineFacts } from './machine.ts'

export interface NodeFacts extends MachineFacts {
  uid: number
  /** Names of those that the agent needs and this process lacks. */
  missingCapabilities: readonly string[]
  /** Programs that are on the path. */
  programs: ReadonlySet<string>
  /** Loaded, built in, or to be had by modprobe. */
  kernelWireGuard: boolean
  /** undefined: it opens. */
  tunRefusal: string | undefined
  qemuVersion: string | undefined
  /** As the agent would find it: tried. */
  accelerator: { accelerator: 'kvm' | 'tcg'; because: string } | undefined
  /** Why weights cannot be set; undefined: they can. */
  cgroupRefusal: string | undefined
  psi: boolean
  systemBus: boolean
  vmUser: { name: string; exists: boolean }
  imageFolders: { path: string; exists: boolean }[]
  /** Of interfaces of ppn that are there; forwarding is needed on a hub alone. */
  interfaces: { name: string; forwarding: boolean }[]
  /** Is this node a hub by the bundle it has? */
  hub: boolean
  /** QEMU processes of ppn, by pid. */
  machines: number[]
  firewallTables: string[]
}

/** capabilities(7). */
const CAPABILITIES = {
  CAP_CHOWN: 0,
  CAP_DAC_OVERRIDE: 1,
  CAP_KILL: 5,
  CAP_SETGID: 6,
  CAP_SETUID: 7,
  CAP_NET_ADMIN: 12,
} as const

/** From the text of /proc/self/status (proc(5)). */
export function missingCapabilities(status: string): string[] {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`)
  return Object.entries(CAPABILITIES).flatMap(([name, bit]) => (((effective >> BigInt(bit)) & 1n) === 0n ? [name] : []))
}

export const NODE_CHECKS: Check<NodeFacts>[] = [
  ({ uid, missingCapabilities: missing }) => {
    if (missing.length === 0) return ok('rights', uid === 0 ? 'root' : `user ${uid} with the capabilities needed`)
    return lacks(
      'rights',
      `${uid === 0 ? 'root' : `user ${uid}`} without ${missing.join(', ')}`,
      uid === 0 ? 'give the container these capabilities' : 'run ppn doctor as root, as the service does',
    )
  },
  ({ programs }) => (programs.has('ip') ? ok('ip', 'there') : lacksPackages('ip', 'no program ip', 'iproute2')),
  ({ programs }) => (programs.has('wg') ? ok('wg', 'there') : lacksPackages('wg', 'no program wg', 'wireguard-tools')),
  ({ kernelWireGuard, programs, tunRefusal }) => {
    if (kernelWireGuard) return ok('WireGuard', 'in the kernel')
    if (!programs.has('wireguard-go'))
      return lacksPackages('WireGuard', 'neither in the kernel nor wireguard-go', 'wireguard-go')
    return tunRefusal === undefined
      ? ok('WireGuard', 'wireguard-go with /dev/net/tun; the kernel has none')
      : lacks('WireGuard', `wireguard-go cannot open /dev/net/tun: ${tunRefusal}`, 'modprobe tun')
  },
  ({ programs }) =>
    programs.has('nft')
      ? ok('nft', 'there')
      : { ...lacksPackages('nft', 'no program nft: a hub would not forward', 'nftables'), verdict: 'warns' },
  ({ hub, interfaces }) => {
    const off = interfaces.filter(({ forwarding }) => !forwarding)
    if (!hub) return ok('forwarding', 'this node is no hub; nothing is forwarded')
    return off.length === 0
      ? ok('forwarding', interfaces.map(({ name }) => `on for ${name}`).join(', ') || 'the agent switches it on')
      : lacks(
          'forwarding',
          `off for ${off.map(({ name }) => name).join(', ')}`,
          off.map(({ name }) => `sysctl -w net.ipv4.conf.${name}.forwarding=1`).join(' && '),
        )
  },
  ({ qemuVersion }) => {
    if (qemuVersion === undefined)
      return lacksPackages('QEMU', 'no program qemu-system-x86_64: no archive can run', 'qemu-system-x86')
    const [major = 0, minor = 0] = qemuVersion.split('.').map(Number)
    return major > 7 || (major === 7 && minor >= 2)
      ? ok('QEMU', qemuVersion)
      : lacks('QEMU', `${qemuVersion}, ppn needs 7.2`, 'upgrade to Debian 12 or later')
  },
  ({ accelerator }) => {
    if (accelerator === undefined) return undefined
    return accelerator.accelerator === 'kvm'
      ? ok('KVM', accelerator.because)
      : warns('KVM', `not usable, archives run slowly by TCG: ${accelerator.because}`, kvmFix(accelerator.because))
  },
  ({ programs }) =>
    programs.has('qemu-img')
      ? ok('qemu-img', 'there')
      : {
          ...lacksPackages('qemu-img', 'no program qemu-img: disks cannot be looked into by hand', 'qemu-utils'),
          verdict: 'warns',
        },
  ({ vmUser }) =>
    vmUser.exists
      ? ok('VM user', vmUser.name)
      : warns(
          'VM user',
          `there is no user ${vmUser.name}: QEMU would run as nobody`,
          `ppn service install agent; or useradd --system --no-create-home --shell /usr/sbin/nologin ${vmUser.name}`,
        ),
  ({ imageFolders }) => {
    const missing = imageFolders.filter(({ exists }) => !exists).map(({ path }) => path)
    if (imageFolders.length === 0) return ok('images', 'no folder is allowed')
    return missing.length === 0
      ? ok('images', imageFolders.map(({ path }) => path).join(', '))
      : warns('images', `there is no ${missing.join(', ')}`, `mkdir -p ${missing.join(' ')}`)
  },
  ({ cgroupRefusal }) =>
    cgroupRefusal === undefined
      ? ok('CPU weights', 'cgroup v2 with the cpu controller')
      : warns(
          'CPU weights',
          `${cgroupRefusal}; archives share evenly`,
          'boot with systemd.unified_cgroup_hierarchy=1 on the kernel command line',
        ),
  ({ systemd, systemBus }) =>
    !systemd || systemBus
      ? undefined
      : {
          ...lacksPackages('D-Bus', 'no system bus: VMs cannot get scopes of their own', 'dbus'),
          verdict: 'warns',
        },
  ({ psi }) =>
    psi
      ? ok('pressure', '/proc/pressure/memory')
      : warns('pressure', 'the kernel keeps no figures; free memory alone decides', 'boot with psi=1'),
  ({ service, interfaces, machines, firewallTables }) => {
    if (service.active) return undefined
    const left = [
      ...interfaces.map(({ name }) => `interface ${name}`),
      ...firewallTables.map((name) => `firewall table ${name}`),
      ...machines.map((pid) => `QEMU ${pid}`),
    ]
    return left.length === 0
      ? ok('left over', 'nothing')
      : warns(
          'left over',
          `no agent service runs, but: ${left.join(', ')}`,
          'systemctl start ppn-agent takes them up again; ppn agent --leave or --purge ends them',
        )
  },
]

const kvmFix = (because: string): string =>
  because.startsWith('there is no')
    ? 'modprobe kvm_intel or kvm_amd; switch virtualisation on in the firmware; in a VM, nested virtualisation'
    : 'see why with: dmesg | grep -i kvm'
