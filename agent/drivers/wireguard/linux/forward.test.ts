import { expect, test } from 'vitest'
import { replacement, rulesetFor, shows, tableOf } from './forward.ts'

const rule = (...authorities: string[]) => rulesetFor('ppn0', { authorities, commandPort: 8090 })

/** As `nft -j list table` prints what was put in. */
function listing(ruleset: ReturnType<typeof rule>, ...more: object[]): string {
  const handled = { family: 'ip', table: 'ppn_ppn0', handle: 7 }
  return JSON.stringify({
    nftables: [
      { metainfo: { version: '1.0.6' } },
      { table: { family: 'ip', name: 'ppn_ppn0', handle: 1 } },
      { chain: { ...handled, ...ruleset.chain } },
      ...ruleset.rules.map((expr) => ({ rule: { ...handled, chain: 'forward', expr } })),
      ...more,
    ],
  })
}

test('what was put in is found again, whatever the order of the authorities', () => {
  expect(shows(listing(rule('10.8.0.9', '10.8.0.10')), rule('10.8.0.10', '10.8.0.9', '10.8.0.9'))).toBe(true)
})

test('another authority, a rule more, a rule less or another policy is a difference', () => {
  const want = rule('10.8.0.1')
  const more = { rule: { family: 'ip', table: 'ppn_ppn0', chain: 'forward', handle: 9, expr: [{ accept: null }] } }
  expect(shows(listing(rule('10.8.0.2')), want)).toBe(false)
  expect(shows(listing(want, more), want)).toBe(false)
  expect(shows(listing({ ...want, rules: want.rules.slice(1) }), want)).toBe(false)
  expect(shows(listing({ ...want, chain: { ...want.chain, policy: 'drop' } }), want)).toBe(false)
})

test('the old table goes and the new one comes in one transaction', () => {
  const { nftables } = JSON.parse(replacement('ppn0', rule('10.8.0.1'))) as { nftables: object[] }
  expect(nftables.map((step) => Object.entries(step).map(([verb, what]) => `${verb} ${Object.keys(what)[0]}`))).toEqual(
    ['add table', 'delete table', 'add table', 'add chain', 'add rule', 'add rule'].map((step) => [step]),
  )
})

test('without an authority the command port passes from nobody', () => {
  expect(JSON.stringify(rule().rules[0])).not.toContain('saddr')
})

test('an interface name with symbols of its own makes a table name that nft takes', () => {
  expect(tableOf('a=b+c')).toBe('ppn_a_61b_43c')
})
