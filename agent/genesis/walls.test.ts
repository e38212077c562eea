import { expect, test } from 'vitest'
import { PpnError } from '../../base/errors.ts'
import type { Processes, Ran } from '../../base/processes.ts'
import { raiseWalls, removeWalls, wallsFor } from './walls.ts'

function recording(answer: Partial<Ran> | Error = {}): { processes: Processes; ran: string[] } {
  const ran: string[] = []
  return {
    ran,
    processes: {
      async run(command, args, options) {
        ran.push([command, ...args, ...(options?.input === undefined ? [] : ['<', String(options.input)])].join(' '))
        if (answer instanceof Error) throw answer
        return { exitCode: 0, stdout: '', stderr: '', ...answer }
      },
    },
  }
}
const accepted = (text: string) => text.match(/^ +(.+) accept$/gm)?.map((line) => line.trim().replace(/ accept$/, ''))

test('everything is dropped but the holding port, and what the machine needs to be reached there at all', () => {
  const text = wallsFor({ holdingPort: 9443, open: [] })
  expect(text).toContain('hook input priority filter; policy drop;')
  expect(accepted(text)).toEqual([
    'iifname "lo"',
    'ct state established,related',
    'icmpv6 type { nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert }',
    'udp sport 67 udp dport 68',
    'ip6 saddr fe80::/10 udp sport 547 udp dport 546',
    'tcp dport { 9443 }',
  ])
})

test('ports that a person wants open, each once; beacons only while they are listened for', () => {
  expect(accepted(wallsFor({ holdingPort: 9443, open: [9443, 22, 22], beaconPort: 8090 }))?.slice(-2)).toEqual([
    'tcp dport { 22, 9443 }',
    'udp dport 8090',
  ])
})

test('they are put up in one transaction that takes the old ones down', async () => {
  const { processes, ran } = recording()
  await raiseWalls(processes, { holdingPort: 9443, open: [] })
  expect(ran.length).toBe(1)
  expect(ran[0]).toMatch(/^nft -f - < table inet ppn_holding\ndelete table inet ppn_holding\ntable inet ppn_holding \{/)
})

test('that they cannot be put up is an error; that there are none to take down is not', async () => {
  const missing = new PpnError('ProgramMissing', { command: 'nft' })
  await expect(raiseWalls(recording(missing).processes, { holdingPort: 1, open: [] })).rejects.toBe(missing)
  await expect(raiseWalls(recording({ exitCode: 1 }).processes, { holdingPort: 1, open: [] })).rejects.toThrow()
  await removeWalls(recording(missing).processes)
  await removeWalls(recording({ exitCode: 1, stderr: 'Error: No such file or directory' }).processes)
  await expect(removeWalls(recording({ exitCode: 1, stderr: 'not permitted' }).processes)).rejects.toThrow('permitted')
})
