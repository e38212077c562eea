// CustomResourceDefinitions (apiextensions.k8s.io/v1) from the zod schemas: one source for both.
import { IMMUTABLE } from '../immutable.ts'
import { API_VERSION, GROUP, KINDS, type Kind, VERSION } from '../meta.ts'
import { CATEGORY, NAMES } from '../names.ts'
import { OBJECT_RULES } from '../rules.ts'
import { NAMESPACED, SPEC_SCHEMA } from '../v1alpha1/index.ts'
import { COLUMNS } from './columns.ts'
import { STATUS_SCHEMA, UNSEEN_STATUS } from './status.ts'
import { type StructuralSchema, structuralSchema } from './structural.ts'

interface CelRule {
  rule: string
  message: string
}

const ABOUT: Readonly<Record<Kind, string>> = {
  Mesh: 'A private network: one WireGuard subnet and one command broadcast domain of at most 254 nodes.',
  Node: 'A machine of the fleet.',
  Pairing: 'One act of joining: a code shown by a machine, and what the operator decided.',
  ResourcePool: 'How the memory and processors of one node are divided among its archives.',
  Archive: 'A sealed data vault: a virtual machine whose disk is made once from a verified image.',
}

/**
 * Transition rules stand on the parent (spec), so that adding and removing the field count as a change.
 * A `onceSet` field may be added to an object that lacks it.
 */
function immutability(kind: Kind, required: readonly string[]): CelRule[] {
  return IMMUTABLE[kind].map(({ field, from }) => {
    const same = `self.${field} == oldSelf.${field}`
    const kept = `has(self.${field}) && ${same}`
    if (from === 'onceSet') return { rule: `!has(oldSelf.${field}) || (${kept})`, message: `${field} is set once` }
    if (required.includes(field)) return { rule: same, message: `${field} is immutable` }
    return {
      rule: `has(self.${field}) == has(oldSelf.${field}) && (!has(self.${field}) || ${same})`,
      message: `${field} is immutable`,
    }
  })
}

function specSchema(kind: Kind): StructuralSchema {
  const schema = structuralSchema(SPEC_SCHEMA[kind])
  const own = (schema['x-kubernetes-validations'] ?? []) as CelRule[]
  const rules = [...own, ...immutability(kind, (schema.required ?? []) as string[])]
  return {
    description: 'What the operator declares.',
    ...schema,
    ...(rules.length > 0 ? { 'x-kubernetes-validations': rules } : {}),
  }
}

/** The CRD of one kind, as plain data in the order in which it is written. */
export function crd(kind: Kind) {
  const names = NAMES[kind]
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${names.plural}.${GROUP}` },
    spec: {
      group: GROUP,
      names: { ...names, kind, listKind: `${kind}List`, categories: [CATEGORY] },
      scope: NAMESPACED[kind] ? 'Namespaced' : 'Cluster',
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: COLUMNS[kind],
          schema: {
            openAPIV3Schema: {
              description: ABOUT[kind],
              type: 'object',
              required: ['spec'],
              properties: {
                apiVersion: { description: `Always ${API_VERSION}.`, type: 'string' },
                kind: { description: `Always ${kind}.`, type: 'string' },
                metadata: { type: 'object' },
                spec: specSchema(kind),
                status: {
                  description: 'What telemetry showed, and the verdicts of the control plane.',
                  ...structuralSchema(STATUS_SCHEMA[kind]),
                  default: UNSEEN_STATUS[kind],
                },
              },
              'x-kubernetes-validations': OBJECT_RULES[kind].map(({ cel, message }) => ({ rule: cel, message })),
            },
          },
        },
      ],
    },
  }
}

/** Every CRD, in the order of KINDS. */
export function crds() {
  return KINDS.map((kind) => crd(kind))
}
