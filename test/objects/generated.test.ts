import { expect, test } from 'vitest'
import { parseObject } from '../../api/parse.ts'
import { generatedObjects, generatedUpdates } from './generated.ts'

test('generated objects are the same every time, of every kind, and both sound and unsound', () => {
  const objects = generatedObjects(500)
  expect(objects).toEqual(generatedObjects(500))
  const sound = objects.filter(({ object }) => parseObject(object).type === 'object')
  expect(new Set(sound.map(({ object }) => object.kind)).size).toBe(5)
  expect(sound.length).toBeGreaterThan(50)
  expect(sound.length).toBeLessThan(450)
})

test('generated updates begin with a sound object', () => {
  for (const { before } of generatedUpdates(50)) expect(parseObject(before).type).toBe('object')
})
