import { stringify } from 'yaml'
import { crds } from '../api/crd/crd.ts'

/** Path -> content of every file in crds/. */
export function generateCrds(): Map<string, string> {
  const note = '# Generated from api/ by hack/generate-crds.ts. Do not edit.\n'
  return new Map(
    crds().map((crd) => [
      `crds/${crd.metadata.name}.yaml`,
      note + stringify(crd, { lineWidth: 0, aliasDuplicateObjects: false }),
    ]),
  )
}
