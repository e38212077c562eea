// The fake agent of ppn/testing against the real one: a double that nobody compares lies sooner or later.
import { expect, test } from 'vitest'
import { bench } from './bench.ts'
import { richReport } from './scenarios/telemetry.ts'
import { SCENARIOS } from './scenarios.ts'
import { SUBJECTS } from './subjects.ts'

for (const which of ['fake', 'real'] as const) {
  test.each(SCENARIOS.map((scenario) => [scenario.name, scenario] as const))(`${which}: %s`, async (_, scenario) => {
    const b = await bench(SUBJECTS[which])
    try {
      await b.join()
      expect(await scenario.run(b)).toEqual(scenario.outcome)
    } finally {
      await b.end()
    }
  })
}

test.each(['fake', 'real'] as const)(
  '%s: the first import demands the right fingerprint, and pins it',
  async (which) => {
    const b = await bench(SUBJECTS[which])
    try {
      await b.agent.start()
      const code = (armored: string, fingerprint?: string) =>
        b.agent.import(armored, fingerprint).then(
          (held) => held.revision,
          (error: { code: string }) => error.code,
        )
      expect([
        await code(b.first()),
        await code(b.first(), 'SHA256:other'),
        await code('no bundle', b.authority.fingerprint),
        await code(b.first(), b.authority.fingerprint),
        await code(b.armored({ revision: 2, switch: 'onReceipt', content: { attempt: 1 } })),
      ]).toEqual(['AuthorityFingerprintNeeded', 'AuthorityFingerprintDiffers', 'BadArmor', 1, 2])
      await b.settle()
      expect(b.report().bundles.applied?.revision).toBe(2)
    } finally {
      await b.end()
    }
  },
)

test('both report in the same shape', async () => {
  const shape = async (which: 'fake' | 'real') => {
    const b = await bench(SUBJECTS[which])
    await b.join()
    const report = await richReport(b)
    await b.end()
    return report
  }
  const real = await shape('real')
  expect(real).toMatchObject({ marks: [{}], archives: [{}], releases: [{}], retainedDisks: [{}], peers: [{}] })
  expect(await shape('fake')).toEqual(real)
})
