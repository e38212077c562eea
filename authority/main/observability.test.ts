import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { type Check, serveObservability } from './observability.ts'

async function ask(checks: Check[], path: string): Promise<[number, string]> {
  const server = await serveObservability({ port: 0, metrics: new Registry(), checks: () => checks })
  try {
    const answer = await fetch(`http://127.0.0.1:${server.port}${path}`)
    return [answer.status, await answer.text()]
  } finally {
    await server.close()
  }
}

const WELL: Check[] = [{ name: 'watch-node' }, { name: 'leadership', note: 'standing by, a leads' }]
const ILL: Check[] = [...WELL, { name: 'api-server', why: 'it cannot be read: Node: 403' }]

test('ready is ok, or every reason why not', async () => {
  expect(await ask(WELL, '/readyz')).toEqual([200, 'ok\n'])
  expect(await ask(ILL, '/readyz')).toEqual([503, 'it cannot be read: Node: 403\n'])
})

test('verbose has a line for each check, as the API server writes its own', async () => {
  expect(await ask(ILL, '/readyz?verbose')).toEqual([
    503,
    '[+]watch-node ok\n[+]leadership ok: standing by, a leads\n[-]api-server failed: it cannot be read: Node: 403\n',
  ])
})

test('a process that answers is alive, whatever it lacks; what is no path of it is refused', async () => {
  expect(await ask(ILL, '/healthz')).toEqual([200, 'ok\n'])
  expect((await ask(ILL, '//')).at(0)).toBe(404)
})
