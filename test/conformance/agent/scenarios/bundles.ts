// Section 7.2, "Order", and APPLY.
import { OP } from '../../../../protocol/command/ops.ts'
import { type Bench, HUB, NODE, STRANGER } from '../bench.ts'
import { altered, held, marks, refusals, type Scenario } from './look.ts'

const OTHER = 'f'.repeat(32)

const refusedBundle = (name: string, reason: string, make: (b: Bench) => Promise<unknown>): Scenario => ({
  name: `a bundle ${name} is refused`,
  async run(b) {
    await make(b)
    await b.settle()
    return [refusals(b), held(b)]
  },
  outcome: [{ [reason]: 1 }, { applied: 1, staged: undefined, told: undefined }],
})

export const BUNDLES: Scenario[] = [
  {
    name: 'a bundle waits for its APPLY',
    async run(b) {
      await b.push({ revision: 2, content: { attempt: 1 } })
      await b.settle()
      const before = held(b)
      await b.authority.send(OP.APPLY, { value: 2 })
      await b.settle()
      return [before, held(b), marks(b)]
    },
    outcome: [
      { applied: 1, staged: 2, told: undefined },
      { applied: 2, staged: undefined, told: 2 },
      [[OP.APPLY, 0, 2, 1, 'done']],
    ],
  },
  {
    name: 'an APPLY covers a bundle that comes later, and none above it',
    async run(b) {
      await b.authority.send(OP.APPLY, { value: 3 })
      await b.push({ revision: 2, content: { attempt: 1 } })
      await b.settle()
      const early = held(b)
      await b.push({ revision: 4, content: { attempt: 2 } })
      await b.settle()
      return [early, held(b)]
    },
    outcome: [
      { applied: 2, staged: undefined, told: 3 },
      { applied: 2, staged: 4, told: 3 },
    ],
  },
  {
    name: 'an APPLY below what is staged leaves it staged',
    async run(b) {
      await b.push({ revision: 3, content: { attempt: 1 } })
      await b.authority.send(OP.APPLY, { value: 2 })
      await b.settle()
      return held(b)
    },
    outcome: { applied: 1, staged: 3, told: 2 },
  },
  {
    name: 'a lower APPLY lowers nothing, unless its term is higher',
    async run(b) {
      await b.authority.send(OP.APPLY, { value: 5 })
      await b.settle()
      await b.authority.send(OP.APPLY, { value: 3 })
      await b.settle()
      const same = held(b).told
      b.authority.state.term = 2
      await b.authority.send(OP.APPLY, { value: 3 })
      await b.settle()
      return [same, held(b).told]
    },
    outcome: [5, 3],
  },
  {
    name: 'an APPLY means the revision nearest to what is held, over the turn of 16 bits',
    async run(b) {
      await b.push({ revision: 65_535, switch: 'onReceipt', content: { attempt: 1 } })
      await b.push({ revision: 65_537, content: { attempt: 2 } })
      await b.settle()
      await b.authority.send(OP.APPLY, { value: 1 })
      await b.settle()
      return held(b)
    },
    outcome: { applied: 65_537, staged: undefined, told: 65_537 },
  },
  {
    name: 'onReceipt switches at once',
    async run(b) {
      await b.push({ revision: 2, switch: 'onReceipt', content: { attempt: 1 } })
      await b.settle()
      return held(b)
    },
    outcome: { applied: 2, staged: undefined, told: undefined },
  },
  {
    name: 'the content in force under a higher revision or term only replaces the file, and drops what it overtakes',
    async run(b) {
      await b.push({ revision: 2, content: { attempt: 1 } })
      await b.push({ revision: 3 })
      await b.settle()
      const higher = held(b)
      await b.push({ revision: 3, term: 2 })
      await b.settle()
      return [higher, held(b), b.report().bundles.applied?.term, b.authority.frames.at(-1)?.term, refusals(b)]
    },
    outcome: [
      { applied: 3, staged: undefined, told: undefined },
      { applied: 3, staged: undefined, told: undefined },
      2,
      2,
      {},
    ],
  },
  {
    name: 'what is staged is replaced by its like onReceipt, and switched',
    async run(b) {
      await b.push({ revision: 2, content: { attempt: 1 } })
      await b.push({ revision: 2, switch: 'onReceipt', content: { attempt: 1 } })
      await b.settle()
      return [held(b), refusals(b)]
    },
    outcome: [{ applied: 2, staged: undefined, told: undefined }, {}],
  },
  {
    name: 'one revision has one content',
    async run(b) {
      await b.push({ revision: 3, content: { attempt: 1 } })
      await b.push({ revision: 3, content: { attempt: 2 } })
      await b.push({ revision: 2, content: { attempt: 2 } })
      await b.settle()
      return [held(b), refusals(b)]
    },
    outcome: [{ applied: 1, staged: 3, told: undefined }, { NotNewer: 2 }],
  },
  refusedBundle('of an equal revision with another content', 'NotNewer', (b) =>
    b.push({ revision: 1, content: { attempt: 1 } }),
  ),
  refusedBundle('of an earlier term', 'OldTerm', (b) => b.push({ revision: 9, term: 0, content: { attempt: 1 } })),
  refusedBundle('with a byte changed', 'BundleUnsigned', (b) =>
    b.authority.push(altered(b.bundle({ revision: 2 }), 200)),
  ),
  refusedBundle('of a version nobody knows', 'BundleVersion', (b) =>
    b.authority.push(altered(b.bundle({ revision: 2 }), 0, 9)),
  ),
  refusedBundle('under another operator key', 'WrongOperatorKey', (b) =>
    b.push({ revision: 2, content: { operatorKey: b.identity.signingPublicKey } }),
  ),
  refusedBundle('pushed by a stranger', 'SyncSource', async (b) => {
    const connection = await b.network.transport().connect(STRANGER, NODE, 8092, new AbortController().signal)
    connection.stream.on('error', () => {})
    connection.stream.end(Buffer.alloc(64))
  }),
  refusedBundle('that is no frame', 'SyncMalformed', async (b) => {
    const connection = await b.network.transport().connect(HUB, NODE, 8092, new AbortController().signal)
    connection.stream.on('error', () => {})
    connection.stream.end(Buffer.from([0, 0, 0, 2, 99, 0]))
  }),
  refusedBundle('that never ends', 'SyncTooLong', async (b) => {
    const connection = await b.network.transport().connect(HUB, NODE, 8092, new AbortController().signal)
    connection.stream.on('error', () => {})
    connection.stream.end(Buffer.from([0xff, 0xff, 0xff, 0xff]))
  }),
  refusedBundle('of another mesh', 'WrongMesh', (b) => b.push({ revision: 2, ids: { meshId: OTHER } })),
  refusedBundle('for another node', 'WrongNode', (b) => b.push({ revision: 2, ids: { nodeId: OTHER } })),
  refusedBundle('for an earlier enrolment', 'WrongEnrolment', (b) =>
    b.push({ revision: 2, ids: { enrolmentId: OTHER } }),
  ),
]
