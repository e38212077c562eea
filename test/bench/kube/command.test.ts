import { expect, test } from 'vitest'
import { command, toldBy } from './command.ts'

test('a command has 16 bytes, and tells which archive and which generation', () => {
  const bytes = command('cluster-totebox-bench-10000', 70_000, 250)
  expect(bytes).toHaveLength(16)
  expect(toldBy(bytes)).toEqual({ number: 10_000, generation: 70_000 })
})

// controller-runtime/command_test.go holds the Go program to the same bytes.
test('it is what the Go program sends', () =>
  expect(command('cluster-totebox-bench-7', 3, 101).toString('hex')).toBe('060007006500000003d276a31666fa63'))
