import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { diskFiles } from './disk-files.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'ppn-files-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const bytes = (text: string) => new TextEncoder().encode(text)

test('what was written is read back, and a second instance reads the same', async () => {
  await diskFiles(dir).write('a', bytes('one'))
  expect(await diskFiles(dir).read('a')).toEqual(bytes('one'))
})

test('a file that is not there is undefined; one that cannot be read is an error', async () => {
  const files = diskFiles(dir)
  expect(await files.read('a')).toBeUndefined()
  await files.sub('folder').write('b', bytes('x'))
  await expect(files.read('folder')).rejects.toMatchObject({ code: 'EISDIR' })
})

test('files are 0600 in folders of 0700', async () => {
  const files = diskFiles(path.join(dir, 'state'))
  await files.sub('keys').write('secret', bytes('x'))
  await files.append('log', bytes('x'))
  const mode = async (name: string) => (await stat(path.join(dir, 'state', name))).mode & 0o777
  expect(await mode('.')).toBe(0o700)
  expect(await mode('keys')).toBe(0o700)
  expect(await mode('keys/secret')).toBe(0o600)
  expect(await mode('log')).toBe(0o600)
})

test('a file half written at a crash is not listed, is used up by the next write, and leaves the old one readable', async () => {
  const files = diskFiles(dir)
  await files.write('a', bytes('old'))
  await writeFile(path.join(dir, '.a.new'), 'half of the ne')
  expect(await files.list()).toEqual(['a'])
  expect(await files.read('a')).toEqual(bytes('old'))
  await files.write('a', bytes('new'))
  expect(await readdir(dir)).toEqual(['a'])
})

test('changes of one file take effect in the order of the calls', async () => {
  const files = diskFiles(dir)
  await Promise.all([
    ...Array.from({ length: 20 }, (_, i) => files.write('a', bytes(String(i)))),
    ...Array.from({ length: 20 }, (_, i) => files.append('b', bytes(`${i},`))),
  ])
  expect(await files.read('a')).toEqual(bytes('19'))
  expect(await files.read('b')).toEqual(bytes(Array.from({ length: 20 }, (_, i) => `${i},`).join('')))
})

test('a change that fails does not stop the next one', async () => {
  const files = diskFiles(dir)
  await files.sub('a').write('inside', bytes('x'))
  await expect(files.write('a', bytes('x'))).rejects.toThrow()
  await files.sub('a').remove('inside')
  await rm(path.join(dir, 'a'), { recursive: true })
  await files.write('a', bytes('y'))
  expect(await files.read('a')).toEqual(bytes('y'))
})

test('removing what is not there is no error, and removing what is there removes it', async () => {
  const files = diskFiles(dir)
  await files.remove('a')
  await files.write('a', bytes('x'))
  await files.remove('a')
  expect(await files.read('a')).toBeUndefined()
})

test('a folder lists its own files only, sorted, and nothing when it does not exist', async () => {
  const files = diskFiles(path.join(dir, 'state'))
  expect(await files.list()).toEqual([])
  await files.write('b', bytes(''))
  await files.write('a', bytes(''))
  await files.sub('below').write('c', bytes(''))
  expect(await files.list()).toEqual(['a', 'b'])
})

test.each(['', '.', '..', '../a', 'a/b', '/etc/passwd', '.hidden', 'a\0b'])('refuses the name %j', async (name) => {
  const files = diskFiles(dir)
  await expect(async () => files.write(name, bytes('x'))).rejects.toMatchObject({ code: 'BadFileName' })
  expect(() => files.sub(name)).toThrow(expect.objectContaining({ code: 'BadFileName' }))
})
