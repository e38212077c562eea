// One record an address, `address/<ip>`: whoever's test-and-set wrote it holds it. A node that changes its address
// claims the new one before it frees the old one; a crash between leaves it with two, of which the later claim
// counts, and the next claim frees the other.
import type { Clock } from '../../base/clock.ts'
import type { AddressResult, Allocator } from '../../controllers/ports/allocator.ts'
import type { RecordStore } from '../../controllers/ports/store.ts'
import { type Cidr, formatIpv4, hostAddresses, isHostAddress, isInside, parseCidr, parseIpv4 } from './cidr.ts'
import { contend } from './contend.ts'
import type { Serial } from './serial.ts'

/**
 * How long a freed address is kept from others. Longer than any peer, route or firewall rule that still names its
 * last holder goes unnoticed; the holder's own name may have it back at once.
 */
export const ADDRESS_QUARANTINE_MS = 24 * 60 * 60 * 1000

interface AddressFact {
  state: 'Held' | 'Quarantined'
  uid: string
  name: string
  /** Counts the claims of one node: of two held addresses the higher one is its own. */
  claim: number
  /** Clock.now() when it was freed. */
  freedMs?: number
}

const PREFIX = 'address/'

export type Addresses = Pick<Allocator, 'addressOf' | 'addressEdition' | 'holderOf' | 'claimAddress' | 'releaseAddress'>

export function addresses(options: { records: RecordStore; clock: Clock; serial: Serial }): Addresses {
  const { records, clock, serial } = options
  /**
   * uid -> its address and the record's key. What it has is checked against the record at every use; what it has not
   * is not there: it is complete while we are the only writer, and dropped on Conflict.
   */
  let shortcut: Map<string, { ip: string; key: string }> | undefined
  let edition = 0

  const fact = (ip: string) => {
    const record = records.get(PREFIX + ip)
    return { version: record?.version ?? 0, value: record?.value as AddressFact | undefined }
  }

  const all = (): { ip: string; value: AddressFact }[] =>
    records.list(PREFIX).map((r) => ({ ip: r.key.slice(PREFIX.length), value: r.value as AddressFact }))

  const isHolder = (value: AddressFact | undefined, uid: string) => value?.state === 'Held' && value.uid === uid

  function addressOf(uid: string): string | undefined {
    const known = shortcut?.get(uid)
    if (shortcut && !known) return undefined
    if (known && isHolder(records.get(known.key)?.value as AddressFact | undefined, uid)) return known.ip
    const held = all()
      .filter(({ value }) => value.state === 'Held')
      .sort((a, b) => a.value.claim - b.value.claim)
    edition++
    shortcut = new Map(held.map(({ ip, value }) => [value.uid, { ip, key: PREFIX + ip }]))
    return shortcut.get(uid)?.ip
  }

  /** The wall clock may jump either way; a freed instant far from now, on either side, no longer binds. */
  const inQuarantine = (value: AddressFact): boolean =>
    value.state === 'Quarantined' && Math.abs(clock.now() - (value.freedMs ?? 0)) < ADDRESS_QUARANTINE_MS

  /** Why `name` may not have the address; undefined: it may. Names are unique, so the name's holder is the same node. */
  function refusal(ip: string, name: string): Extract<AddressResult, { ok: false }> | undefined {
    const { value } = fact(ip)
    if (!value || value.name === name) return undefined
    if (value.state === 'Held')
      return { ok: false, reason: 'AddressTaken', holder: value.name, message: `${ip} is held by ${value.name}` }
    if (!inQuarantine(value)) return undefined
    const until = new Date((value.freedMs ?? 0) + ADDRESS_QUARANTINE_MS).toISOString()
    const message = `${ip} was ${value.name}'s and is kept free until ${until}`
    return { ok: false, reason: 'AddressQuarantined', holder: value.name, message }
  }

  /** The address this name held under an earlier uid: an orphaned node declared again. */
  const inherited = (name: string): string | undefined =>
    all().find(({ value }) => value.state === 'Held' && value.name === name)?.ip

  function lowestFree(
    cidr: Cidr,
    node: { name: string; hub: boolean },
    avoid: ReadonlySet<string>,
  ): string | undefined {
    let last: string | undefined
    for (const address of hostAddresses(cidr)) {
      const ip = formatIpv4(address)
      if (refusal(ip, node.name) || avoid.has(ip)) continue
      // .1 is kept for a hub while anything else is free.
      if (address % 256 === 1 && !node.hub) last = ip
      else return ip
    }
    return last
  }

  function choose(
    node: { uid: string; name: string; hub: boolean },
    cidr: Cidr,
    text: string,
    wanted: string | undefined,
    avoid: ReadonlySet<string>,
  ): AddressResult {
    const ip = wanted ?? addressOf(node.uid) ?? inherited(node.name)
    if (ip === undefined) {
      const free = lowestFree(cidr, node, avoid)
      return free === undefined
        ? { ok: false, reason: 'Exhausted', message: `no address of ${text} is free` }
        : { ok: true, address: free }
    }
    const address = parseIpv4(ip)
    if (address === undefined || !isInside(cidr, address))
      return { ok: false, reason: 'OutsideMesh', message: `${ip} is not inside ${text}` }
    if (!isHostAddress(cidr, address))
      return { ok: false, reason: 'AddressReserved', message: `${ip} is the network or broadcast address of ${text}` }
    return refusal(ip, node.name) ?? { ok: true, address: ip }
  }

  async function hold(node: { uid: string; name: string }, ip: string): Promise<void> {
    const { version, value } = fact(ip)
    const own = all().filter(
      (a) => a.value.state === 'Held' && (a.value.uid === node.uid || a.value.name === node.name),
    )
    const others = own.filter((a) => a.ip !== ip)
    const newest = Math.max(0, ...own.map((a) => a.value.claim))
    const settled = isHolder(value, node.uid) && value?.name === node.name && value.claim === newest
    if (!settled) {
      const claim = newest + 1
      await records.put(
        PREFIX + ip,
        { state: 'Held', uid: node.uid, name: node.name, claim } satisfies AddressFact,
        version,
      )
      edition++
    }
    shortcut?.set(node.uid, { ip, key: PREFIX + ip })
    for (const other of others) await free(other.ip)
  }

  async function free(ip: string): Promise<void> {
    const { version, value } = fact(ip)
    if (value?.state !== 'Held') return
    const freed: AddressFact = { ...value, state: 'Quarantined', freedMs: clock.now() }
    await records.put(PREFIX + ip, freed, version)
    edition++
  }

  const retried = <T>(work: () => Promise<T>) =>
    serial(() =>
      contend(work, () => {
        shortcut = undefined
        edition++
      }),
    )

  return {
    addressOf,
    addressEdition: () => edition,
    holderOf(address) {
      const { value } = fact(address)
      return value?.state === 'Held' ? { nodeUid: value.uid, nodeName: value.name } : undefined
    },
    claimAddress: (node, cidrText, wanted, avoid) =>
      retried(async () => {
        const cidr = parseCidr(cidrText)
        if (!cidr) return { ok: false, reason: 'OutsideMesh', message: `${cidrText} is no mesh network: a /24 to /30` }
        const choice = choose(node, cidr, cidrText, wanted, avoid ?? new Set())
        if (choice.ok) await hold(node, choice.address)
        return choice
      }),
    releaseAddress: (uid) =>
      retried(async () => {
        for (const { ip, value } of all()) if (isHolder(value, uid)) await free(ip)
      }),
  }
}
