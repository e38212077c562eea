// `npm run lab status`: the machines and cables as they are, then the authority's own view.
import { alignRows } from '../../cli/output/table.ts'
import type { Lab } from './lab.ts'

export async function statusText({ folder, network, fleet }: Lab): Promise<string> {
  const cuts = new Set(await network.cuts())
  const hosts = network.names.map((name) => {
    const isNode = fleet.declared.nodes.some((n) => n.name === name)
    const agent = fleet.agentPid(name)
    const runs = isNode ? (agent === undefined ? 'no agent' : `agent ${agent}`) : 'router'
    return [name, runs, name === fleet.declared.authorityNode ? `authority ${fleet.authorityPid() ?? 'down'}` : '']
  })
  const links = network.links.map(({ name, segment, address, port }) => [
    name,
    segment,
    address,
    `fabric/${port}`,
    cuts.has(name) ? 'CUT' : 'up',
  ])
  const nodes = await fleet.ppn(fleet.declared.authorityNode, ['get', 'nodes', '-o', 'wide'])
  return [
    `lab ${folder}`,
    '',
    alignRows([['HOST', 'RUNS', ''], ...hosts]),
    alignRows([['LINK', 'SEGMENT', 'ADDRESS', 'PORT', 'STATE'], ...links]),
    (nodes.stdout + nodes.stderr).trimEnd(),
  ].join('\n')
}
