// Somebody has a backup of the authority, or a copy of its folder.
import { afterEach, expect, test } from 'vitest'
import { sealBackup } from '../../authority/backup/seal.ts'
import { createBackup, restoreBackup } from '../../authority/backup/snapshot.ts'
import { OPERATOR_FILE } from '../../authority/keys/keys.ts'
import { OP } from '../../protocol/command/ops.ts'
import { memoryFiles } from '../../testing/memory-files.ts'
import { seededRandom } from '../../testing/seeded-random.ts'
import { copyOf, type Fleet, startFleet } from '../fleet/harness.ts'
import { office } from '../fleet/objects.ts'
import { commandsSince, PORT } from '../fleet/wire.ts'

let fleet: Fleet
afterEach(() => fleet.stop())

const CHEAP = { n: 2 ** 4, r: 8, p: 1 }
const stolen = (passphrase: string) =>
  createBackup({
    ...{ files: memoryFiles(fleet.authorityState().files), database: async () => Buffer.from('a database') },
    ...{ passphrase, clock: fleet.clock, random: seededRandom('backup'), cost: CHEAP },
  })

test('without the passphrase it says when and how it was sealed, and nothing that lies in the folder', async () => {
  fleet = await startFleet(office())
  await fleet.untilReady()
  const backup = await stolen('correct horse')
  const text = Buffer.from(backup).toString('latin1')
  for (const [name, bytes] of fleet.files) {
    expect(text, name).not.toContain(Buffer.from(bytes).subarray(0, 24).toString('latin1'))
    if (name.startsWith('keys/')) expect(text).not.toContain(name)
  }
  for (const passphrase of ['', 'correct', 'Correct horse', 'correct horse '])
    await expect(restoreBackup({ files: memoryFiles(), backup, passphrase, clock: fleet.clock })).rejects.toMatchObject(
      { code: 'BackupUnreadable' },
    )
})

test('a guess costs 128 MiB and half a second: that is in every backup’s header, and a cheaper header is another backup', async () => {
  fleet = await startFleet([])
  const sealed = await sealBackup(Buffer.from('x'), 'p', seededRandom('cost'))
  const [head = ''] = Buffer.from(sealed).toString('latin1').split('\n')
  expect(JSON.parse(head)).toMatchObject({ kdf: 'scrypt', n: 2 ** 17, r: 8, p: 1 })
  const cheaper = Buffer.concat([
    Buffer.from(head.replace('"n":131072', '"n":16')),
    Buffer.from(sealed).subarray(head.length),
  ])
  await expect(
    restoreBackup({ files: memoryFiles(), backup: cheaper, passphrase: 'p', clock: fleet.clock }),
  ).rejects.toMatchObject({ code: 'BackupUnreadable' })
})

test('a changed byte anywhere is noticed before a file is written', async () => {
  fleet = await startFleet([])
  const backup = await stolen('p')
  for (let at = 0; at < backup.length; at += Math.ceil(backup.length / 40)) {
    const changed = Uint8Array.from(backup, (byte, i) => (i === at ? byte ^ 1 : byte))
    const files = memoryFiles()
    await expect(restoreBackup({ files, backup: changed, passphrase: 'p', clock: fleet.clock })).rejects.toMatchObject({
      code: 'BackupUnreadable',
    })
    expect([...files.dump().keys()]).toEqual([])
  }
})

test('a copy of the folder, started beside the fleet later, is Superseded: it sends nothing but what starts a term', async () => {
  fleet = await startFleet(office())
  await fleet.untilReady()
  const copy = copyOf(fleet.authorityState())
  await fleet.restartAuthority()
  await fleet.untilReady()
  await fleet.restartAuthority()
  await fleet.untilReady()
  fleet.killAuthority()
  fleet.replaceAuthorityState(copy)
  const mark = fleet.network.datagrams.length
  await fleet.startAuthority()
  await fleet.clock.advance(30_000)
  expect(fleet.authority.world.fleet.superseded()).toBe(true)
  // Asked for once, under a term that every node has left behind: nobody heeds it.
  expect(commandsSince(fleet, mark).filter(({ op }) => op !== OP.PING)).toEqual([])
  const sent = fleet.network.datagrams.length
  await fleet.clock.advance(60_000)
  expect(fleet.network.datagrams.slice(sent).filter(({ port }) => port === PORT.command)).toEqual([])
})

test('whoever has folder and operator key has the fleet: the key lies there until somebody moves it, and we say so', async () => {
  fleet = await startFleet([])
  // Not defended, hence said at every start (OPERATOR_ADVICE) and in docs/security.md.
  expect(fleet.files.has(`keys/${OPERATOR_FILE}`)).toBe(fleet.authority.keys.operatorSecretPresent)
})
