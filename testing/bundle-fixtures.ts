import { createHash } from 'node:crypto'
import type { BundleArchive, BundlePeer } from '../protocol/bundle/document.ts'

/** An archive whose image the simulated driver can make: the content of an https source is the source's own text. */
export function anArchive(given: Partial<BundleArchive> & { slot: number }): BundleArchive {
  const source = `https://images.example/${given.slot}.img`
  const sha256 = createHash('sha256').update(source).digest('hex')
  return {
    id: given.slot.toString(16).padStart(32, '0'),
    name: `cluster-totebox-a-${given.slot}`,
    namespace: 'default',
    fencingEpoch: 1,
    minSequence: { term: 0, sequence: 0 },
    image: { source, sha256, format: 'raw', architecture: 'amd64' },
    floorMiB: 256,
    maxMiB: 1024,
    vcpus: 1,
    restartPolicy: 'Always',
    ...given,
  }
}

/** A hub that a spoke's bundle lists; `n` makes key and address. */
export function aHub(n: number, given: Partial<BundlePeer> = {}): BundlePeer {
  return {
    nodeId: n.toString(16).padStart(32, '0'),
    name: `hub-${n}`,
    publicKey: Buffer.alloc(32, n).toString('base64'),
    endpoint: `hub-${n}.example:51820`,
    allowedIPs: n === 1 ? ['10.8.0.1/32', '10.8.0.0/24'] : [`10.8.0.${n}/32`],
    keepaliveSeconds: 25,
    hub: true,
    ...given,
  }
}
