// Effects into programs: ip(8) and wg(8). Keys go in by standard input.
import { type Processes, runOk } from '../../../../base/processes.ts'
import type { Effect, PeerChange } from './plan.ts'
import { ROUTE_PROTOCOL } from './seen.ts'

/** The arguments of one `wg set`. */
export function wgArguments(name: string, effect: Extract<Effect, { do: 'wg' }>): string[] {
  return [
    'set',
    name,
    ...(effect.privateKey ? ['private-key', '/dev/stdin'] : []),
    ...(effect.listenPort === undefined ? [] : ['listen-port', String(effect.listenPort)]),
    ...effect.peers.flatMap(peerArguments),
  ]
}

function peerArguments(change: PeerChange): string[] {
  const { publicKey } = change
  if ('remove' in change) return ['peer', publicKey, 'remove']
  return [
    ...(change.renew ? ['peer', publicKey, 'remove'] : []),
    'peer',
    publicKey,
    ...(change.noPresharedKey ? ['preshared-key', '/dev/null'] : []),
    ...(change.endpoint === undefined ? [] : ['endpoint', change.endpoint]),
    ...(change.persistentKeepalive === undefined ? [] : ['persistent-keepalive', String(change.persistentKeepalive)]),
    ...(change.allowedIPs === undefined ? [] : ['allowed-ips', change.allowedIPs.join(',')]),
  ]
}

function ipArguments(name: string, effect: Exclude<Effect, { do: 'wg' }>): string[] {
  switch (effect.do) {
    case 'dropAddress':
      return ['address', 'delete', effect.address, 'dev', name]
    case 'address':
      return ['address', 'replace', effect.address, 'dev', name]
    case 'mtu':
      return ['link', 'set', 'dev', name, 'mtu', String(effect.mtu)]
    case 'up':
      return ['link', 'set', 'dev', name, 'up']
    case 'connectedRoute': {
      const how = ['proto', 'kernel', 'scope', 'link', 'src', effect.source]
      return ['route', 'replace', effect.network, 'dev', name, ...how]
    }
    case 'route':
      return ['route', 'replace', effect.network, 'dev', name, 'proto', ROUTE_PROTOCOL]
    case 'dropRoute':
      return ['route', 'delete', effect.network, 'dev', name, 'proto', ROUTE_PROTOCOL]
  }
}

/** Carries out the plan in its order. Rejects with ProgramFailed at the first that fails. */
export async function carryOut(
  processes: Processes,
  name: string,
  privateKey: string,
  effects: readonly Effect[],
): Promise<void> {
  for (const effect of effects) {
    if (effect.do !== 'wg') await runOk(processes, 'ip', ipArguments(name, effect))
    else if (!effect.privateKey) await runOk(processes, 'wg', wgArguments(name, effect))
    else await runOk(processes, 'sh', [...THROUGH_A_PIPE, ...wgArguments(name, effect)], { input: `${privateKey}\n` })
  }
}

/**
 * wg(8) opens /dev/stdin by its name, and Linux opens a pipe that way but not the socket that Node gives its children.
 * The words after the script are its arguments and are not read as shell.
 */
const THROUGH_A_PIPE = ['-c', 'cat | exec wg "$@"', 'wg']
