// /etc/ppn/agent.yaml: what this machine is given to know. Everything is optional.
import { isIP, isIPv4 } from 'node:net'
import { z } from 'zod'
import { parseSettings } from '../../base/yaml-settings.ts'

export const AGENT_CONFIG = '/etc/ppn/agent.yaml'

const folder = z
  .string()
  .regex(/^\/[^\0]*$/, 'give an absolute path')
  .max(4096)
const address = z.string().refine((text) => isIPv4(text), 'give an IPv4 address')
const choice = z.enum(['real', 'simulated']).default('real')

const log = z.strictObject({
  level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
  /** `text` for journalctl, `json` for a machine that reads it. */
  format: z.enum(['text', 'json']).default('text'),
})
const images = z.strictObject({
  /** Files below these folders may become disks. */
  folders: z.array(folder).max(64).default(['/srv/ppn/images']),
  /** `https://HOST/...` may be fetched from these; none by default. */
  hosts: z
    .array(z.string().regex(/^[a-z0-9]([a-z0-9.-]{0,252}[a-z0-9])?(:\d{1,5})?$/, 'give host or host:port'))
    .max(64)
    .default([]),
})
const vm = z.strictObject({
  /** Whom QEMU runs as. */
  user: z
    .string()
    .regex(/^[a-z_][a-z0-9_-]{0,31}$/, 'give the name of a user')
    .default('ppn-vm'),
  accelerator: z.enum(['auto', 'kvm', 'tcg']).default('auto'),
})
/** While this machine is in no fleet (docs/genesis.md). */
const holding = z.strictObject({
  enabled: z.boolean().default(true),
  /** Where claims come in; `::` is every address. */
  address: z
    .string()
    .refine((text) => isIP(text) !== 0, 'give an IP address')
    .default('::'),
  port: z.int().min(1).max(65_535).default(9443),
  /** 30 s for beacons of authorities on the local networks. */
  scan: z.boolean().default(true),
  /** Close every other port meanwhile. Whoever is in by ssh stays in, and gets in no more. */
  closed: z.boolean().default(false),
  /** TCP ports that stay open all the same. */
  open: z.array(z.int().min(1).max(65_535)).max(64).default([]),
  /** Who says that the digits on both screens are the same; `trustCode`: nobody. */
  confirm: z.enum(['person', 'trustCode']).default('person'),
  /** When there, no claim is answered without this key's signature. */
  operatorKey: folder.default('/etc/ppn/operator.pub'),
  /** Where the code is shown. */
  screens: z.array(folder).max(8).default(['/dev/console', '/run/issue.d/ppn.issue']),
})
/** For a laboratory: a part that is simulated touches nothing of this machine. */
const drivers = z.strictObject({ wireguard: choice, vm: choice, cgroup: choice, image: choice })
/** Only for `drivers.wireguard: simulated`: this machine's place on the loopback, as `ppn up --simulate` has it. */
const simulation = z.strictObject({
  address,
  /** Declared endpoint (host:port) to the mesh address of the machine that stands there. */
  endpoints: z.record(z.string(), address).default({}),
  behindNat: z.boolean().default(true),
})

const agentConfig = z
  .strictObject({
    /** Keys, bundles, marks, disks. One agent holds it. */
    state: folder.default('/var/lib/ppn'),
    /** Sockets of running VMs; gone after a reboot. */
    run: folder.default('/run/ppn'),
    log: log.prefault({}),
    images: images.prefault({}),
    vm: vm.prefault({}),
    drivers: drivers.prefault({}),
    holding: holding.prefault({}),
    simulation: simulation.optional(),
  })
  .superRefine((config, context) => {
    const refuse = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message })
    const { drivers: parts } = config
    if (parts.wireguard === 'simulated' && !config.simulation)
      refuse(['drivers', 'wireguard'], 'a simulated WireGuard needs simulation.address')
    if (parts.vm === 'real' && parts.image === 'simulated')
      refuse(['drivers', 'image'], 'a real VM needs real disks: simulate both, or the VM alone')
    if (parts.vm !== parts.cgroup && parts.cgroup === 'real')
      refuse(['drivers', 'cgroup'], 'a simulated VM has no process whose share could be set: simulate both')
  })
export type AgentConfig = z.output<typeof agentConfig>

/** Throws SettingsInvalid, with file, line and column. */
export function parseAgentConfig(file: string, text: string): AgentConfig {
  return parseSettings(file, text, agentConfig)
}
