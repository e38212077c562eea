// Law 12 on a cluster: an annotation on the Mesh, whose value is the reason. Read from the API server, never from a copy.
import { z } from 'zod'
import { PpnError } from '../../base/errors.ts'
import { type KubeApi, PATCH, statusText } from './api.ts'
import { rawList, rawObject } from './raw.ts'
import { collectionPath, objectPath } from './resources.ts'

export const BRAKE_ANNOTATION = 'ppn.dev/brake'
/** A reading that takes longer would be too old by the time it is in (5 s at most, authority/brake.ts). */
const READ_WITHIN_MS = 4_000

export interface MeshBrakeSource {
  look(): Promise<string | undefined>
  set(reason: string): Promise<void>
  release(): Promise<void>
}

const meshes = z.array(rawObject)

/** One of several meshes that carries it is enough. Without any Mesh there is no brake, and `set` throws NoMeshToBrake. */
export function meshBrake({ api }: { api: Pick<KubeApi, 'request'> }): MeshBrakeSource {
  const read = async () => {
    const answer = await api.request({ method: 'GET', path: collectionPath('Mesh'), withinMs: READ_WITHIN_MS })
    if (answer.status !== 200) throw new Error(statusText(answer))
    return meshes.parse(rawList.parse(answer.body).items).map(({ metadata }) => metadata)
  }
  const annotate = async (name: string, value: string | null) => {
    const body = { metadata: { annotations: { [BRAKE_ANNOTATION]: value } } }
    const path = objectPath('Mesh', { name })
    const answer = await api.request({ method: 'PATCH', path, contentType: PATCH.merge, body })
    if (answer.status !== 200 && answer.status !== 404)
      throw new PpnError('KubeRefused', { what: `the brake of Mesh/${name}`, why: statusText(answer) })
  }
  return {
    async look() {
      const reasons = (await read()).map(({ annotations }) => annotations?.[BRAKE_ANNOTATION])
      return reasons.find((reason) => reason !== undefined)
    },
    async set(reason) {
      const all = await read()
      if (all.length === 0) throw new PpnError('NoMeshToBrake')
      for (const { name } of all) await annotate(name, reason)
    },
    async release() {
      for (const { name, annotations } of await read())
        if (annotations?.[BRAKE_ANNOTATION] !== undefined) await annotate(name, null)
    },
  }
}
