import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import type { Io } from './io.ts'
import { openPrompt } from './prompt.ts'

/** A person (or a pipe) that has not said anything yet. */
function seated({ terminal = false } = {}) {
  const input = Object.assign(new PassThrough(), { isTTY: terminal })
  const stop = new AbortController()
  let shown = ''
  const io = {
    err: (text: string) => {
      shown += text
    },
    signal: stop.signal,
  } as unknown as Io
  return { input, stop, prompt: openPrompt(io, input), shown: () => shown }
}
/** Everything written so far has been read. */
const read = () => new Promise((resolve) => setImmediate(resolve))

test('a question is shown and the next line is its answer, trimmed', async () => {
  const { input, prompt, shown } = seated()
  const answer = prompt.ask('name: ')
  input.write('  edge-3 \n')
  expect(await answer).toBe('edge-3')
  expect(shown()).toBe('name: ')
})

test('lines that a pipe gave at once answer one question each', async () => {
  const { input, prompt } = seated()
  input.end('one\ntwo\nlast without a newline')
  expect([await prompt.ask(''), await prompt.ask(''), await prompt.ask('')]).toEqual([
    'one',
    'two',
    'last without a newline',
  ])
})

test('an input that has ended answers nothing more', async () => {
  const { input, prompt } = seated()
  input.end('one\n')
  await prompt.ask('')
  await expect(prompt.ask('')).rejects.toMatchObject({ exit: 64, message: 'nobody answers' })
})

test('a person who stops ends the question', async () => {
  const { stop, prompt } = seated()
  const answer = prompt.ask('')
  stop.abort(new Error('stopped'))
  await expect(answer).rejects.toThrow('stopped')
})

test('a question that is out of date ends, and the next one is asked', async () => {
  const { input, prompt } = seated()
  const over = new AbortController()
  const first = prompt.ask('first? ', { signal: over.signal })
  over.abort(new Error('the line is over'))
  await expect(first).rejects.toThrow('the line is over')
  input.write('second\n')
  expect(await prompt.ask('second? ')).toBe('second')
})

test('what was typed at a terminal before a fresh question was shown is no answer to it', async () => {
  const { input, prompt } = seated({ terminal: true })
  input.write('yes\n')
  await read()
  const answer = prompt.ask('the same digits? ', { fresh: true })
  input.write('no\n')
  expect(await answer).toBe('no')
})

test('a pipe answers a fresh question with what it gave before', async () => {
  const { input, prompt } = seated()
  input.write('yes\n')
  await read()
  expect(await prompt.ask('the same digits? ', { fresh: true })).toBe('yes')
})
