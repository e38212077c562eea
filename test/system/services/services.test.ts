// A Debian 12 with systemd: what `ppn doctor` says of a bare one, and agent and authority as its services, installed
// from the package. Two machines at once; everything of the second one in one life, since it boots slowly without KVM.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { debianMachines } from './debian.ts'
import { type Guest, startGuest } from './guest.ts'
import { ppnDisk } from './ppn-disk.ts'

const SLOW_MS = 10 * 60_000
/** A boot, and a fleet that has to converge after it. */
const BOOT_AND_CONVERGE_MS = 25 * 60_000
/** Without Go's WireGuard: the kernel of Debian has it. */
const DOCTORS_PACKAGES = ['dbus', 'iproute2', 'nftables', 'qemu-system-x86', 'qemu-utils', 'wireguard-tools']
const ARCHIVE = 'cluster-totebox-test-1'
/** A quarter of an hour more without KVM: `PPN_SYSTEM_LONG=1 npm run test:system -- test/system/services`. */
const long: (name: string, act: () => Promise<void>, timeout: number) => void =
  process.env.PPN_SYSTEM_LONG !== undefined ? test : () => {}
const figures: string[] = []
let root: string
let bare: Promise<Guest>
let node: Guest
let sha256: string

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'ppn-services-'))
  const [machines, opt] = await Promise.all([debianMachines(), ppnDisk(root)])
  sha256 = opt.sha256
  bare = startGuest(machines.bare, opt.disk)
  bare.catch(() => {})
  node = await startGuest(machines.node, opt.disk)
  // Without KVM compiling JavaScript is what takes longest, and a person's shell asks ppn a dozen times here.
  await node.must('export NODE_COMPILE_CACHE=/run/compile-cache')
}, SLOW_MS)
afterAll(async () => {
  process.stdout.write(`\n${figures.join('\n')}\n`)
  await node?.close()
  await bare?.then(
    (guest) => guest.close(),
    () => {},
  )
  await rm(root, { recursive: true, force: true })
})

const property = async (unit: string, name: string) =>
  (await node.must(`systemctl show --value -p ${name} ${unit}`)).trim()
/** Process of the archive's QEMU; index of the kernel's interface. Neither changes while nothing is started anew. */
const machinePid = async () => (await node.must('pgrep -x qemu-system-x86')).trim()
const interfaceIndex = async () => (await node.must('cat /sys/class/net/ppn0/ifindex')).trim()
const converged = () => node.until('systemctl show -p StatusText ppn-authority | grep "the fleet is Ready"', SLOW_MS)
/** What the kernel counts as a service's own, beside its RSS, which holds the pages of the program's file as well. */
const noteMemory = async (when: string) => {
  for (const unit of ['ppn-agent', 'ppn-authority']) {
    const status = await node.must(`cat /proc/${await property(unit, 'MainPID')}/status`)
    const mib = (field: string) => (Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]) / 1024).toFixed(0)
    figures.push(`memory of ${unit}, ${when}: RSS ${mib('VmRSS')} MiB, of it its own ${mib('RssAnon')} MiB`)
  }
}
const write = (file: string, text: string) => node.must(`cat > ${file} <<'END'\n${text}END`)

test(
  'doctor on a bare Debian names what lacks, and one command that installs it',
  async () => {
    const machine = await bare
    const { code, out } = await machine.sh('ppn doctor', SLOW_MS)
    figures.push(`ppn doctor on a bare Debian 12:\n${out}`)
    expect(code).not.toBe(0)
    expect(out).toMatch(/^LACKS +wg /m)
    expect(out).toMatch(/^LACKS +QEMU /m)
    const [, packages = ''] = /^ +apt-get install -y --no-install-recommends (.*)$/m.exec(out) ?? []
    expect(packages.split(' ').sort()).toEqual(DOCTORS_PACKAGES)
    expect(out).toContain('this machine cannot be a node yet')
    await machine.close()
  },
  SLOW_MS,
)

test(
  'services are installed from the package, and run with systemd told and as few rights as they can',
  async () => {
    await node.must('ppn service install agent', SLOW_MS)
    expect(await property('ppn-agent', 'StatusText')).toContain('waits for its first bundle')
    const identity = (await node.must('ppn agent init 2>/dev/null')).trimEnd().replace(/^/gm, '  ')
    await node.must('mkdir -p /etc/ppn/fleet && cp /opt/images/willing.raw /srv/ppn/images/')
    await write('/etc/ppn/fleet/fleet.yaml', fleet(identity, sha256))
    await node.must('ppn service install authority', SLOW_MS)
    for (const unit of ['ppn-agent', 'ppn-authority']) {
      expect(await property(unit, 'ActiveState')).toBe('active')
      const [, exposure] = /overall exposure level[^:]*: ([0-9.]+)/i.exec(
        await node.must(`systemd-analyze security --no-pager ${unit} | tail -1`, SLOW_MS),
      ) as unknown as [string, string]
      figures.push(`systemd-analyze security ${unit}: ${exposure} of 10`)
      expect(Number(exposure)).toBeLessThan(unit === 'ppn-agent' ? 4.5 : 2.5)
    }
  },
  SLOW_MS,
)

long(
  'a fleet declared in /etc/ppn/fleet converges: kernel WireGuard, an archive in a scope of systemd with its weight',
  async () => {
    await node.until('ppn node bundle node-1 >/root/bundle 2>/root/words', SLOW_MS)
    await node.must('ppn agent import /root/bundle --authority $(sed -n "s/^authority fingerprint: //p" /root/words)')
    await converged()
    expect(await node.must('ip -d link show ppn0')).toMatch(/^ +wireguard/m)
    const scope = `/ppn.slice/ppn-${await archiveId()}.scope`
    expect(await node.must(`cat /proc/${await machinePid()}/cgroup`)).toBe(`0::${scope}\n`)
    expect(await node.must(`cat /sys/fs/cgroup${scope}/cpu.weight`)).toBe('300\n')
    expect(await property(path.basename(scope), 'CPUWeight')).toBe('300')
    expect(await node.must('ppn doctor', SLOW_MS)).toContain('0 lacking')
    await noteMemory('converged')
  },
  SLOW_MS,
)

long(
  'an agent that stands still is ended by the watchdog and started again; tunnel and machine go on',
  async () => {
    const before = { machine: await machinePid(), interface: await interfaceIndex() }
    await node.must('mkdir -p /run/systemd/system/ppn-agent.service.d')
    await write('/run/systemd/system/ppn-agent.service.d/soon.conf', '[Service]\nWatchdogSec=40s\nTimeoutAbortSec=1s\n')
    await node.must('systemctl daemon-reload && systemctl restart ppn-agent', SLOW_MS)
    expect({ machine: await machinePid(), interface: await interfaceIndex() }).toEqual(before)

    const first = await property('ppn-agent', 'MainPID')
    await node.must(`kill -STOP ${first}`)
    await node.until(`test "$(systemctl show --value -p NRestarts ppn-agent)" -ge 1`, SLOW_MS)
    await node.until('systemctl is-active ppn-agent', SLOW_MS)
    expect(await node.must('journalctl -o cat _PID=1 --no-pager | grep -i watchdog')).toContain('ppn-agent.service')
    expect(await property('ppn-agent', 'MainPID')).not.toBe(first)
    expect({ machine: await machinePid(), interface: await interfaceIndex() }).toEqual(before)
    await converged()
    await noteMemory('started again by the watchdog')
  },
  SLOW_MS,
)

long(
  'the machine boots again: what should run runs again',
  async () => {
    await node.reboot()
    await node.until('pgrep -x qemu-system-x86', SLOW_MS)
    await converged()
    expect(await node.must(`cat /proc/${await machinePid()}/cgroup`)).toContain(await archiveId())
  },
  BOOT_AND_CONVERGE_MS,
)

long(
  'services are taken away and the node leaves: the machine goes on; purged, nothing but its disk is left, which it lists',
  async () => {
    const machine = await machinePid()
    const link = await interfaceIndex()
    await node.must('ppn service remove agent && ppn service remove authority', SLOW_MS)
    expect({ machine: await machinePid(), link: await interfaceIndex() }).toEqual({ machine, link })

    expect(await node.must('ppn agent --leave')).toContain('ppn0 is gone')
    expect((await node.sh('ip link show ppn0')).code).not.toBe(0)
    expect(await machinePid()).toBe(machine)

    const refused = await node.sh('ppn agent --purge --yes')
    expect(refused.code).not.toBe(0)
    expect(refused.out).toContain('MachinesRun')
    const id = await archiveId()
    const said = await node.must('ppn agent --purge --stop --yes', SLOW_MS)
    expect((await node.sh('pgrep -x qemu-system-x86')).code).not.toBe(0)
    expect(said).toContain(`default/${ARCHIVE}`)
    expect(said).toContain('nothing of ppn is left but these disks')
    const left = await node.must(
      'find /var/lib/ppn /run/ppn /etc/systemd/system/*ppn* -type f 2>/dev/null | sort; true',
    )
    expect(left.trim().split('\n')).toEqual([
      `/var/lib/ppn/archives/${id}/disk`,
      `/var/lib/ppn/archives/${id}/image`,
      `/var/lib/ppn/archives/${id}/sidecar`,
      '/var/lib/ppn/fence',
    ])
    expect(await node.must('nft list tables; ip -br link; pgrep -af "ppn|qemu" || true')).not.toMatch(/ppn[0_-]|qemu/)
  },
  SLOW_MS,
)

const archiveId = async () => (await node.must('ls /var/lib/ppn/archives')).trim()

const fleet = (identity: string, digest: string) => `apiVersion: ppn.dev/v1alpha1
kind: Node
metadata: {name: node-1}
spec:
  role: hub
  site: onprem
  endpoint: 192.0.2.1:51820
${identity}
---
apiVersion: ppn.dev/v1alpha1
kind: Archive
metadata: {name: ${ARCHIVE}, namespace: default}
spec:
  nodeName: node-1
  runState: Running
  image:
    source: file:///srv/ppn/images/willing.raw
    sha256: ${digest}
    format: raw
  memory: {floor: 128Mi, max: 256Mi}
  cpu: {weight: 300}
`
