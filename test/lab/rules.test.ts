import { expect, test } from 'vitest'
import { delayCommands, lossRules, natRules } from './rules.ts'

test('a cut drops everything both ways and can be found again; a loss drops its share', () => {
  const cut = lossRules('p3', 100)
  expect(cut.match(/^ +drop comment "cut p3 (in|out)"$/gm)).toHaveLength(2)
  expect(lossRules('p3', 2.5).match(/numgen random mod 10000 < 250 drop comment "loss p3 (in|out)"/g)).toHaveLength(2)
})

test('healing takes the rules away, also where there were none', () => {
  expect(lossRules('p3', 0)).toBe('table netdev lab-p3 {}\ndelete table netdev lab-p3\n')
})

test('a NAT lets in only what answers; a symmetric one picks another port for every destination', () => {
  expect(natRules('masquerade')).toContain('iifname "outside" ct state new,invalid drop')
  expect(natRules('masquerade').match(/state new,invalid drop/g), 'IPv4 and IPv6').toHaveLength(2)
  expect(natRules('masquerade')).not.toContain('random')
  expect(natRules('symmetric')).toContain('masquerade fully-random')
  expect(natRules('none')).not.toContain('drop')
})

test('no delay is no queue', () => {
  expect(delayCommands('eth0', 0)).toEqual([['qdisc', 'del', 'dev', 'eth0', 'root']])
  expect(delayCommands('eth0', 20)[0]).toContain('20ms')
})
