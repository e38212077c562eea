import { beforeEach, describe, expect, test } from 'vitest'
import { ANNOTATION } from '../../api/meta.ts'
import type { CeremonySession } from '../ports/ceremonies.ts'
import { fakeIdentity } from '../testing/fake-world.ts'
import { type Run, runControllers } from '../testing/run.ts'
import { pairingController } from './controller.ts'
import { WINDOW_MS } from './plan.ts'

const SPEC = { nodeName: 'laptop', rendezvous: 'A1B2', code: '0123-4567' }
const UID = 'uid-p'
const machine = (more: Partial<CeremonySession> = {}): { session: CeremonySession } => ({
  session: {
    identity: fakeIdentity('laptop'),
    agentVersion: '0.1.0',
    hostname: 'laptop.local',
    from: '192.0.2.7',
    sas: '482913',
    node: 'silent',
    ...more,
  },
})

let run: Run
const declare = async (spec: object = {}, meta = {}) => {
  run.fake.store.put('Pairing', 'p', { ...SPEC, ...spec }, meta)
  await run.settle()
}
const see = async (view: Parameters<typeof run.fake.ceremonies.see>[1]) => {
  run.fake.ceremonies.see(UID, view)
  await run.settle()
}
const status = () => run.fake.store.get('Pairing', 'p')?.status
const reason = () => {
  const ready = status()?.conditions.find((c) => c.type === 'Ready')
  return `${status()?.phase} ${ready?.status} ${ready?.reason}`
}
const enrolled = () => run.fake.registry.of('laptop')
const closed = () => run.fake.ceremonies.closed

beforeEach(async () => {
  run = runControllers((world) => [pairingController(world)])
  run.fake.store.put('Node', 'laptop', { role: 'spoke', site: 'leased' })
  await declare()
})

test('a Pairing opens its ceremony for ten minutes and waits', () => {
  expect(reason()).toBe('Pending False Pending')
  expect(run.fake.ceremonies.opened.get(UID)).toEqual({
    uid: UID,
    nodeName: 'laptop',
    rendezvous: 'A1B2',
    code: '0123-4567',
    untilMs: run.fake.clock.now() + WINDOW_MS,
  })
})

test('the whole ceremony: digits typed, approved, confirmed at the machine; only then it is enrolled', async () => {
  await see({ exchanging: true })
  expect(reason()).toBe('Exchanged False Exchanged')
  await see(machine())
  expect(reason()).toBe('AwaitingSAS False AwaitingSAS')
  await declare({ sas: '482913' })
  expect(reason()).toBe('AwaitingSAS False AwaitingDecision')
  await declare({ sas: '482913', decision: 'Approve' })
  expect(reason()).toBe('AwaitingSAS False AwaitingNode')
  expect(enrolled()).toBeUndefined()
  await see(machine({ node: 'person' }))
  expect(reason()).toBe('Approved True Approved')
  expect(enrolled()).toMatchObject({ identity: fakeIdentity('laptop'), how: 'paired' })
  expect(run.fake.ceremonies.opened.get(UID)?.enrolled).toEqual(fakeIdentity('laptop'))
})

test('our digits are nowhere to be copied from', async () => {
  await see(machine())
  expect(JSON.stringify(run.fake.store.get('Pairing', 'p'))).not.toContain('482913')
  expect(JSON.stringify(run.fake.recorded)).not.toContain('482913')
})

describe('nobody joins', () => {
  const approved = { sas: '482913', decision: 'Approve' }
  const ends = async (how: string) => {
    expect(reason()).toBe(how)
    expect(enrolled()).toBeUndefined()
    expect(run.fake.ceremonies.opened.has(UID)).toBe(false)
    // A terminal phase never changes, whatever comes.
    await see(machine({ node: 'person' }))
    await declare(approved)
    expect(reason()).toBe(how)
    expect(enrolled()).toBeUndefined()
  }

  test('when the operator typed other digits', async () => {
    await see(machine({ node: 'person' }))
    await declare({ sas: '482914', decision: 'Approve' })
    await ends('Denied False Denied')
    expect(closed()).toEqual([`${UID} DigitsDiffer`])
  })

  test('when the person at the machine saw other digits, although the operator typed the same', async () => {
    await see(machine({ node: 'differs' }))
    await declare(approved)
    await ends('Denied False Denied')
  })

  test('when the operator denies', async () => {
    await see(machine({ node: 'person' }))
    await declare({ decision: 'Deny' })
    await ends('Denied False Denied')
  })

  test('when the code was tried wrongly five times', async () => {
    await see({ failures: 4 })
    expect(reason()).toBe('Pending False Pending')
    await see({ failures: 5 })
    await ends('Burned False Burned')
  })

  test('when the window is over', async () => {
    await see(machine())
    await run.fake.clock.advance(WINDOW_MS - 1)
    await run.settle()
    expect(reason()).toBe('AwaitingSAS False AwaitingSAS')
    await run.fake.clock.advance(1)
    run.enqueue('pairing', 'Pairing/p', 'later')
    await run.settle()
    await ends('Expired False Expired')
  })

  test('when another machine comes back under the digits that were typed for the first', async () => {
    await see(machine())
    await declare(approved)
    await see({})
    expect(reason()).toBe('AwaitingSAS False AwaitingMachine')
    await see(machine({ identity: fakeIdentity('thief'), node: 'person' }))
    await ends('Denied False Denied')
  })

  test('when the name belongs to another machine and no replacement was asked for', async () => {
    await run.fake.registry.enrol('laptop', 'a'.repeat(32) as never, fakeIdentity('old'), 'declared')
    await see(machine({ node: 'person' }))
    await declare(approved)
    expect(reason()).toBe('Denied False Denied')
    expect(enrolled()?.identity).toEqual(fakeIdentity('old'))
  })
})

test('a lost line costs no second look: the same machine calls again with other digits and is let in', async () => {
  await see(machine())
  await declare({ sas: '482913', decision: 'Approve' })
  await see({})
  await see(machine({ sas: '000001', node: 'person' }))
  expect(reason()).toBe('Approved True Approved')
})

describe('once both have said yes the machine is in, and its Pairing says so', () => {
  const bothSayYes = async () => {
    await see(machine({ node: 'person' }))
    await declare({ sas: '482913', decision: 'Approve' })
  }

  test.each([
    ['the line is lost', {}],
    ['the line is lost and its code burned', { failures: 5 }],
    ['another machine is on the line', machine({ identity: fakeIdentity('thief') })],
  ])('although %s while it is enrolled', async (_, view) => {
    const { registry } = run.fake
    const enrol = registry.enrol.bind(registry)
    registry.enrol = (...given: Parameters<typeof enrol>) => {
      run.fake.ceremonies.see(UID, view)
      return enrol(...given)
    }
    await bothSayYes()
    expect(reason()).toBe('Approved True Approved')
    expect(enrolled()).toMatchObject({ identity: fakeIdentity('laptop'), confirmedBy: 'person' })
  })

  test('although the authority ended between its word and the registry', async () => {
    const { registry } = run.fake
    const enrol = registry.enrol.bind(registry)
    registry.enrol = () => Promise.reject(new Error('killed'))
    await expect(bothSayYes()).rejects.toThrow('killed')
    expect(enrolled()).toBeUndefined()
    registry.enrol = enrol
    run.fake.ceremonies.see(UID, {})
    await run.fake.clock.advance(WINDOW_MS)
    run.enqueue('pairing', 'Pairing/p', 'restarted')
    await run.settle()
    expect(reason()).toBe('Approved True Approved')
    expect(enrolled()?.identity).toEqual(fakeIdentity('laptop'))
  })
})

test('a machine takes the place of another when the Pairing says so', async () => {
  run.fake.store.put('Pairing', 'q', { ...SPEC, rendezvous: 'QQQQ', replace: true })
  await run.fake.registry.enrol('laptop', 'a'.repeat(32) as never, fakeIdentity('old'), 'declared')
  await run.settle()
  run.fake.ceremonies.see('uid-q', machine({ node: 'trustCode' }))
  run.fake.store.put('Pairing', 'q', {
    ...SPEC,
    rendezvous: 'QQQQ',
    replace: true,
    sas: '482913',
    decision: 'Approve',
  })
  await run.settle()
  expect(enrolled()?.identity).toEqual(fakeIdentity('laptop'))
  expect(run.fake.registry.retired).toEqual(['laptop'])
})

test('an approved machine waits for its Node to be declared', async () => {
  run.fake.store.put('Pairing', 'q', { ...SPEC, nodeName: 'later', rendezvous: 'QQQQ' })
  await run.settle()
  run.fake.ceremonies.see('uid-q', machine({ node: 'person' }))
  run.fake.store.put('Pairing', 'q', {
    ...SPEC,
    nodeName: 'later',
    rendezvous: 'QQQQ',
    sas: '482913',
    decision: 'Approve',
  })
  await run.settle()
  const found = () => run.fake.store.get('Pairing', 'q')?.status?.conditions[0]?.reason
  expect(found()).toBe('NodeMissing')
  run.fake.store.put('Node', 'later', { role: 'spoke', site: 'leased' })
  await run.settle()
  expect(found()).toBe('Approved')
  expect(run.fake.registry.of('later')).toBeDefined()
})

test('two open Pairings do not share a rendezvous; the second has it when the first goes', async () => {
  run.fake.store.put('Pairing', 'q', { ...SPEC, code: '7654-3210' })
  await run.settle()
  const found = () => run.fake.store.get('Pairing', 'q')?.status?.conditions[0]?.reason
  expect(found()).toBe('RendezvousTaken')
  run.fake.store.bury('Pairing/p')
  await run.settle()
  expect(found()).toBe('Pending')
})

test('a code in a Secret is named as what only a cluster has', async () => {
  run.fake.store.put('Pairing', 'q', {
    ...SPEC,
    rendezvous: 'QQQQ',
    code: undefined,
    codeSecretRef: { name: 's', key: 'k' },
  })
  await run.settle()
  expect(run.fake.store.get('Pairing', 'q')?.status?.conditions[0]?.reason).toBe('SecretNeedsCluster')
})

describe('a code in a Secret', () => {
  const declareRef = () =>
    run.fake.store.put('Pairing', 'q', {
      ...SPEC,
      rendezvous: 'QQQQ',
      code: undefined,
      codeSecretRef: { name: 's', key: 'k' },
    })
  const reason = () => run.fake.store.get('Pairing', 'q')?.status?.conditions[0]?.reason
  const opened = () => run.fake.ceremonies.opened.get(run.fake.store.get('Pairing', 'q')?.metadata.uid ?? '')

  test('opens the ceremony, and is in nothing that is shown', async () => {
    run.world.pairingCodes = async ({ name, key }) => ({ code: name === 's' && key === 'k' ? 'A7K2-9QZX' : '' })
    declareRef()
    await run.settle()
    expect(reason()).toBe('Pending')
    expect(opened()?.code).toBe('A7K2-9QZX')
    expect(JSON.stringify(run.fake.store.get('Pairing', 'q'))).not.toContain('A7K2-9QZX')
    expect(JSON.stringify(opened())).not.toContain('A7K2-9QZX')
  })

  test('that cannot be read is said, looked at again, and good as soon as it can', async () => {
    let code: { code: string } | { why: string } = { why: 'there is no Secret s' }
    run.world.pairingCodes = async () => code
    declareRef()
    await run.settle()
    expect(reason()).toBe('SecretUnreadable')
    expect(opened()).toBeUndefined()
    code = { code: 'A7K2-9QZX' }
    run.elapse()
    await run.settle()
    expect(reason()).toBe('Pending')
    expect(opened()?.code).toBe('A7K2-9QZX')
  })
})

test('deleting it ends an open ceremony and forgets it', async () => {
  await see(machine())
  run.fake.store.bury('Pairing/p')
  await run.settle()
  expect(run.fake.store.get('Pairing', 'p')).toBeUndefined()
  expect(closed()).toEqual([`${UID} Withdrawn`])
  expect(run.fake.store.records.list('pairing/')).toEqual([])
})

test('an ended one goes by itself an hour later', async () => {
  await declare({ decision: 'Deny' })
  await run.fake.clock.advance(3_600_000)
  run.enqueue('pairing', 'Pairing/p', 'later')
  await run.settle()
  await run.settle()
  expect(run.fake.store.get('Pairing', 'p')).toBeUndefined()
})

test('a paused one is left alone', async () => {
  await declare({ decision: 'Deny' }, { annotations: { [ANNOTATION.paused]: '' } })
  expect(reason()).toBe('Pending Unknown Paused')
  expect(closed()).toEqual([])
})

describe('a claim', () => {
  const GRANT = `${'A'.repeat(86)}==`
  const CLAIM = { address: '10.0.0.7:9443' }
  const claim = async (spec: object = {}) => {
    run = runControllers((world) => [pairingController(world)])
    run.fake.store.put('Node', 'laptop', { role: 'spoke', site: 'leased' })
    await declare({ ...CLAIM, ...spec })
  }

  test('tells the ceremony where to call, and a person what came of it', async () => {
    await claim({ grant: GRANT })
    expect(run.fake.ceremonies.opened.get(UID)).toMatchObject({ claim: { address: '10.0.0.7:9443', grant: GRANT } })
    expect(reason()).toBe('Pending False Calling')
    await see({ calling: 'no answer' })
    expect(status()?.conditions[0]?.message).toContain('10.0.0.7:9443: no answer')
  })

  test('needs no pairing port', async () => {
    await claim()
    run.fake.ceremonies.unavailable = () => 'no port'
    await declare({ ...CLAIM, decision: 'Approve' })
    expect(reason()).toBe('Pending False Calling')
  })

  test('ends at the first answer that the code is another: it is not guessed at', async () => {
    await claim()
    await see({ failures: 1 })
    expect(reason()).toBe('Denied False Denied')
    expect(closed()).toEqual([`${UID} CodeWrong`])
  })

  test('with trustCode asks for no digits, and the registry says so', async () => {
    await claim({ trustCode: true, decision: 'Approve' })
    await see(machine({ node: 'person' }))
    expect(reason()).toBe('Approved True Approved')
    expect(enrolled()).toMatchObject({ how: 'paired', confirmedBy: 'trustCode' })
  })

  test('with trustCode another machine at the same place takes no part', async () => {
    await claim({ trustCode: true })
    await see(machine())
    await see(machine({ identity: fakeIdentity('thief') }))
    expect(reason()).toBe('Denied False Denied')
  })
})

test('a replacement whose keys are enrolled under another name takes nobody’s place', async () => {
  await run.fake.registry.enrol('laptop', 'a'.repeat(32) as never, fakeIdentity('old'), 'declared')
  await run.fake.registry.enrol('tablet', 'b'.repeat(32) as never, fakeIdentity('laptop'), 'declared')
  run.fake.store.put('Pairing', 'q', { ...SPEC, rendezvous: 'QQQQ', replace: true })
  await run.settle()
  run.fake.ceremonies.see('uid-q', machine({ node: 'person' }))
  run.fake.store.put('Pairing', 'q', { ...SPEC, rendezvous: 'QQQQ', replace: true, sas: '482913', decision: 'Approve' })
  await run.settle()
  expect(run.fake.store.get('Pairing', 'q')?.status?.phase).toBe('Denied')
  expect(run.fake.store.get('Pairing', 'q')?.status?.conditions[0]?.message).toContain('enrolled under another name')
  expect(enrolled()?.identity).toEqual(fakeIdentity('old'))
  expect(run.fake.registry.retired).toEqual([])
})
