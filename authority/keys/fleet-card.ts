// What a new authority has to know of a fleet whose authority is gone and of which there is no backup: nothing of it is
// secret. `ppn operator card` writes it; kept with the operator key.
import { z } from 'zod'
import { nodeIdentity } from '../../api/v1alpha1/node.ts'
import { PpnError } from '../../base/errors.ts'
import type { RecordStore } from '../../controllers/ports/store.ts'
import type { EnrolmentId, MeshId, NodeId } from '../../protocol/ids.ts'
import { fromBase64, toBase64 } from '../../protocol/keys.ts'
import type { NodeRegistry } from '../registry/registry.ts'
import type { FleetIdentity, Keys } from './keys.ts'

const id = z.string().regex(/^[0-9a-f]{32}$/)
const keyText = z.string().length(44)
const u32 = z.int().min(0).max(0xffff_ffff)

const fleetCard = z.strictObject({
  format: z.literal('ppn-fleet-card/1'),
  meshId: id as unknown as z.ZodType<MeshId>,
  meshEpochMs: z.int().min(0),
  operatorKey: keyText,
  /** What the fleet's authorities signed with, newest first. */
  signingKeys: z.array(keyText).min(1).max(17),
  term: u32,
  revision: u32,
  /** Where its authority spoke from. */
  authorityAddresses: z.array(z.string().max(15)).max(3),
  nodes: z
    .array(
      z.strictObject({
        node: z.string().min(1).max(63),
        address: z.string().max(15),
        nodeId: id as unknown as z.ZodType<NodeId>,
        enrolmentId: id as unknown as z.ZodType<EnrolmentId>,
        identity: nodeIdentity,
        enrolledWith: nodeIdentity.optional(),
        how: z.enum(['declared', 'simulated', 'paired']),
        confirmedBy: z.enum(['person', 'trustCode']).optional(),
      }),
    )
    .max(254),
})
export type FleetCard = z.output<typeof fleetCard>

export function makeCard(options: {
  keys: Keys
  registry: Pick<NodeRegistry, 'list'>
  addressOf(node: string): string | undefined
  term: number
  revision: number
  authorityAddresses: readonly string[]
}): FleetCard {
  const { keys, registry, term, revision } = options
  return {
    format: 'ppn-fleet-card/1',
    meshId: keys.meshId,
    meshEpochMs: keys.meshEpochMs,
    operatorKey: toBase64(keys.operator.publicKey),
    signingKeys: [keys.signing.publicKey, ...keys.formerSigning].map(toBase64),
    term,
    revision,
    authorityAddresses: [...options.authorityAddresses],
    nodes: registry.list().flatMap((enrolment) => {
      const address = options.addressOf(enrolment.node)
      return address === undefined ? [] : [{ ...enrolment, address }]
    }),
  }
}

/** Throws FleetCardUnreadable. */
export function readCard(text: string): FleetCard {
  try {
    return fleetCard.parse(JSON.parse(text))
  } catch (cause) {
    throw new PpnError('FleetCardUnreadable', {}, { cause })
  }
}

export function identityIn(card: FleetCard): FleetIdentity {
  return {
    meshId: card.meshId,
    meshEpochMs: card.meshEpochMs,
    operatorPublicKey: fromBase64(card.operatorKey, 32),
    formerSigning: card.signingKeys.map((key) => fromBase64(key, 32)),
  }
}

/**
 * The card's facts as this state's own: ids, addresses, enrolments, counters. Repeatable after a crash between any two
 * writes; an address is taken up by the Node of its name when that is first seen.
 */
export async function inheritCard(card: FleetCard, records: RecordStore, registry: NodeRegistry): Promise<void> {
  const ensure = async (key: string, value: unknown): Promise<void> => {
    if (!records.get(key)) await records.put(key, value, 0)
  }
  for (const { address, ...enrolment } of card.nodes) {
    const { node: name, nodeId } = enrolment
    const uid = `card:${name}`
    await ensure(`nodeid/${uid}`, { id: nodeId, name })
    await ensure(`address/${address}`, { state: 'Held', uid, name, claim: 1 })
    await registry.inherit(enrolment)
  }
  await ensure('revision', { revision: card.revision, told: card.revision })
}
