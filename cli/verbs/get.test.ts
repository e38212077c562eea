import { expect, test } from 'vitest'
import { labelSelector } from './get.ts'

const labels = { site: 'cloud', tier: 'test' }

test.each([
  ['site=cloud', true],
  ['site==cloud', true],
  ['site=onprem', false],
  ['site!=onprem', true],
  ['rack!=a', true],
  ['tier', true],
  ['!tier', false],
  ['!rack', true],
  ['rack', false],
  ['site=cloud,tier=test', true],
  ['site=cloud, tier!=test', false],
  ['site=', false],
])('%s selects: %s', (selector, selected) => {
  expect(labelSelector(selector)(labels)).toBe(selected)
})

test.each(['', '=x', 'a=b,,c'])('"%s" is no selector', (text) => {
  expect(() => labelSelector(text)).toThrow(expect.objectContaining({ exit: 64 }))
})
