// What programs, the kernel and QEMU say to the agent's drivers, and the headers of images.
import {
  cgroup2Mount,
  cpuIsV1,
  groupOf,
  groupsOf,
  hasCpu,
  readWeight,
} from '../../../../agent/drivers/cgroup/hierarchy.ts'
import { qcow2Refusal } from '../../../../agent/drivers/image/qcow2-header.ts'
import type { KernelFiles } from '../../../../agent/drivers/kernel-files.ts'
import { adjtimexSays, chronycSays, timedatectlSays } from '../../../../agent/drivers/linux-host/clock-sync.ts'
import { meminfoMiB, psiSomeAvg10 } from '../../../../agent/drivers/linux-host/memory.ts'
import { vmResidence } from '../../../../agent/drivers/linux-host/vm-overhead.ts'
import { recordFrom } from '../../../../agent/drivers/vm/qemu/adopt.ts'
import { qemuArguments, runPaths } from '../../../../agent/drivers/vm/qemu/arguments.ts'
import { parseStat } from '../../../../agent/drivers/vm/qemu/process-table.ts'
import { jsonLines } from '../../../../agent/drivers/vm/qmp/lines.ts'
import * as replies from '../../../../agent/drivers/vm/qmp/replies.ts'
import { replacement, rulesetFor, shows } from '../../../../agent/drivers/wireguard/linux/forward.ts'
import { parseDump, parseLink, parseRoutes } from '../../../../agent/drivers/wireguard/linux/seen.ts'
import { canonicalCidr, formatEndpoint, parseEndpoint } from '../../../../agent/drivers/wireguard/linux/valid.ts'
import { decodePacket, encodePacket } from '../../../../agent/drivers/wireguard/simulated-packet.ts'
import { parseCidr, parseIpv4 } from '../../../../authority/allocation/cidr.ts'
import { accepted, bytesOf, declared, type FuzzedParser, refused, utf8, type Verdict } from '../parser.ts'

const KEY = `${'A'.repeat(43)}=`

/** A program's output, read by functions that answer or say that there is no answer. */
function said(
  name: string,
  covers: readonly string[],
  valid: readonly string[],
  read: (text: string) => unknown,
  errors: readonly string[] = [],
): FuzzedParser {
  return {
    ...{ name, covers, shape: 'text', valid: valid.map(bytesOf), faces: 'program' },
    read: (input) => declared(errors, (): Verdict => (read(utf8(input)) === undefined ? refused('none') : accepted())),
  }
}

const wgDump = said(
  'wg-dump',
  ['agent/drivers/wireguard/linux/seen.ts#parseDump'],
  [
    `${KEY}\t${KEY}\t51820\toff\n${KEY}\t(none)\t192.0.2.1:51820\t10.8.0.1/32,10.8.0.0/24\t1767225600\t1\t2\t25\n`,
    `(none)\t(none)\t0\toff\n`,
  ],
  (text) => {
    const { listenPort, peers } = parseDump(text)
    const numbers = peers.flatMap((p) => [p.rxBytes, p.txBytes, p.persistentKeepalive, p.handshakeAt ?? 1])
    if ([listenPort, ...numbers].some(Number.isNaN)) throw new Error('not a number')
    if (JSON.stringify(peers).includes('private')) throw new Error('the private key')
    return peers
  },
)
const PARSE_ERRORS = ['SyntaxError', 'ZodError', 'NoInterface']
const ipLink = said(
  'ip-link',
  ['agent/drivers/wireguard/linux/seen.ts#parseLink'],
  [
    JSON.stringify([
      {
        ...{ ifname: 'ppn0', flags: ['UP'], mtu: 1420, linkinfo: { info_kind: 'wireguard' } },
        addr_info: [{ family: 'inet', local: '10.8.0.1', prefixlen: 24 }],
      },
    ]),
  ],
  (text) => {
    try {
      return parseLink(text)
    } catch (error) {
      if ((error as Error).message !== 'ip shows no interface') throw error
      return undefined
    }
  },
  PARSE_ERRORS,
)
const ipRoute = said(
  'ip-route',
  ['agent/drivers/wireguard/linux/seen.ts#parseRoutes'],
  [
    '',
    JSON.stringify([
      { dst: '10.8.0.0/24', protocol: 'kernel' },
      { dst: '10.8.0.9', protocol: '112' },
    ]),
  ],
  parseRoutes,
  PARSE_ERRORS,
)
const ruleset = rulesetFor('ppn0', { authorities: ['10.8.0.1'], commandPort: 8090 })
const nftables = said(
  'nft-list',
  ['agent/drivers/wireguard/linux/forward.ts#shows'],
  [replacement('ppn0', ruleset)],
  (text) => shows(text, ruleset),
  PARSE_ERRORS,
)

const endpoint: FuzzedParser = {
  name: 'endpoint',
  faces: 'socket',
  covers: [
    'agent/drivers/wireguard/linux/valid.ts#parseEndpoint',
    'agent/drivers/wireguard/linux/valid.ts#canonicalCidr',
    'authority/allocation/cidr.ts#parseIpv4',
    'authority/allocation/cidr.ts#parseCidr',
  ],
  shape: 'text',
  valid: ['relay.example:51820', '[2001:db8::1]:1', '192.0.2.1:65535'].map(bytesOf),
  read(input) {
    const text = utf8(input)
    const cidr = canonicalCidr(text)
    if (cidr !== undefined && canonicalCidr(cidr) !== cidr) throw new Error('not the one form')
    parseIpv4(text)
    parseCidr(text)
    const found = parseEndpoint(text)
    if (!found) return refused('none')
    const again = formatEndpoint(found)
    // It goes on a command line: nothing in it may read as an option or as two words.
    if (/^-|[\s\0]/.test(again)) throw new Error(`unfit for a command line: ${JSON.stringify(again)}`)
    if (formatEndpoint(parseEndpoint(again) as typeof found) !== again) throw new Error('not the one form')
    return accepted()
  },
}

const procStat = said(
  'proc-stat',
  ['agent/drivers/vm/qemu/process-table.ts#parseStat'],
  ['42 (qemu) system) S 1 42 42 0 -1 4194560 9 0 0 0 120 30 0 0 20 0 4 0 123456 1073741824 2560 18446744073709551615'],
  (text) => {
    const look = parseStat(text)
    if (look && Object.values(look).some(Number.isNaN)) throw new Error('not a number')
    return look
  },
)
const spec = { id: '5'.repeat(32), slot: 3, disk: '/d', format: 'raw' as const, vcpus: 1, floorMiB: 256, maxMiB: 512 }
const cmdline = said('proc-cmdline', ['agent/drivers/vm/qemu/adopt.ts#recordFrom'], [], (text) =>
  recordFrom(text.split('\0'), '/run/ppn', 'boot'),
)
const mountinfo = said(
  'cgroup-files',
  [
    'agent/drivers/cgroup/hierarchy.ts#cgroup2Mount',
    'agent/drivers/cgroup/hierarchy.ts#groupOf',
    'agent/drivers/cgroup/hierarchy.ts#readWeight',
  ],
  [
    '35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n',
    '0::/ppn/x\n',
    '100\n',
    '#subsys\ncpu\t2\t1\t1\n',
  ],
  (text) => {
    const kernel = { read: () => text } as unknown as KernelFiles
    return [
      cgroup2Mount(text),
      groupOf(kernel, 1),
      groupsOf(kernel, 1),
      cpuIsV1(text),
      hasCpu(kernel, '/'),
      readWeight(kernel, '/'),
    ]
  },
)
const memory = said(
  'proc-memory',
  [
    'agent/drivers/linux-host/memory.ts#meminfoMiB',
    'agent/drivers/linux-host/memory.ts#psiSomeAvg10',
    'agent/drivers/linux-host/vm-overhead.ts#vmResidence',
  ],
  [
    'MemTotal:       16384 kB\nMemAvailable:    8192 kB\n',
    'some avg10=1.25 avg60=0.00 avg300=0.00 total=12\n',
    'Size:             524288 kB\nKernelPageSize:        4 kB\nRss:                1024 kB\nSize: 4 kB\nRss: 4 kB\n',
  ],
  (text) => [meminfoMiB(text, 'MemTotal'), psiSomeAvg10(text), vmResidence(text, 512)],
)
const clockSays = said(
  'clock-programs',
  [
    'agent/drivers/linux-host/clock-sync.ts#adjtimexSays',
    'agent/drivers/linux-host/clock-sync.ts#timedatectlSays',
    'agent/drivers/linux-host/clock-sync.ts#chronycSays',
  ],
  ['    maxerror:     500000\n', 'yes\n', 'A,B,3,1767225600.1,0,0,0,0,0,0,0,0,64.0,Normal\n'],
  (text) => [adjtimexSays(text), timedatectlSays(text), chronycSays(text)],
)

const qmp: FuzzedParser = {
  name: 'qmp',
  faces: 'socket',
  covers: ['agent/drivers/vm/qmp/lines.ts#jsonLines', 'agent/drivers/vm/qmp/replies.ts#statusReply'],
  shape: 'lines',
  valid: [
    bytesOf(
      '{"QMP":{"version":{"qemu":{"major":7,"minor":2,"micro":0}},"capabilities":[]}}\r\n{"return":{},"id":1}\r\n',
    ),
    bytesOf('{"event":"SHUTDOWN","data":{"guest":true,"reason":"guest-shutdown"}}\r\n'),
    bytesOf(
      '{"return":{"actual":536870912},"id":7}\n{"return":{"stats":{"stat-free-memory":18446744073709551615},"last-update":1},"id":8}\n',
    ),
    bytesOf('{"return":{"status":"running","running":true},"id":2}\n{"return":{"UUID":"x"},"id":3}\n'),
  ],
  read: (input) =>
    declared(['BadLine', 'Error'], () => {
      const text = utf8(input)
      const take = (object: Record<string, unknown>) => {
        for (const schema of Object.values(replies)) {
          schema.safeParse(object.return)
          schema.safeParse(object.data)
        }
      }
      const feed = jsonLines(take)
      for (let at = 0; at < text.length; at += 37) feed(text.slice(at, at + 37))
      return accepted()
    }),
}

const header = (version: number): Uint8Array => {
  const bytes = Buffer.alloc(104)
  bytes.writeUInt32BE(0x514649fb, 0)
  bytes.writeUInt32BE(version, 4)
  bytes.writeUInt32BE(16, 20)
  bytes.writeUInt32BE(104, 100)
  return new Uint8Array(bytes)
}
const qcow2: FuzzedParser = {
  name: 'qcow2-header',
  faces: 'file',
  covers: ['agent/drivers/image/qcow2-header.ts#qcow2Refusal'],
  shape: 'bytes',
  valid: [header(2), header(3)],
  read(input) {
    const why = qcow2Refusal(input)
    if (why === undefined && (input.length < 72 || Buffer.from(input).readBigUInt64BE(8) !== 0n))
      throw new Error('a backing file went through')
    return why === undefined ? accepted() : refused(why.replace(/\d+/, 'N'))
  },
}

const simulated: FuzzedParser = {
  name: 'simulated-packet',
  faces: 'socket',
  covers: ['agent/drivers/wireguard/simulated-packet.ts#decodePacket'],
  shape: 'bytes',
  valid: [encodePacket({ kind: 'init', from: KEY, to: KEY, stamp: 7 })],
  read(input) {
    const packet = decodePacket(input)
    if (!packet) return refused('none')
    encodePacket(packet)
    return accepted()
  },
}

const withArguments: FuzzedParser = {
  ...cmdline,
  valid: [bytesOf(qemuArguments(spec, runPaths('/run/ppn', 3), 'tcg').join('\0'))],
}

export const MACHINE: readonly FuzzedParser[] = [
  ...[wgDump, ipLink, ipRoute, nftables, endpoint, procStat, withArguments, mountinfo, memory, clockSays, qmp, qcow2],
  simulated,
]
