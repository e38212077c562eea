// Rules that look at an object's name beside its spec. zod checks them in `objectRuleBreaches`; a cluster in CEL, at
// the root of the schema, the only place that sees metadata.name.
import type { Kind } from './meta.ts'
import { DNS_LABEL_PATTERN } from './v1alpha1/common.ts'

export interface ObjectRule {
  /** Where the fault is shown. */
  path: readonly string[]
  holds(name: string, spec: Record<string, unknown>): boolean
  cel: string
  message: string
}

const LABEL = new RegExp(DNS_LABEL_PATTERN)
const ARCHIVE_NAME = /^(cluster-totebox|gateway-orchestration)-[a-z0-9]([-a-z0-9]*[a-z0-9])?-[0-9]+$/

const isLabel: ObjectRule = {
  path: ['metadata', 'name'],
  holds: (name) => name.length <= 63 && LABEL.test(name),
  cel: `self.metadata.name.size() <= 63 && self.metadata.name.matches('${DNS_LABEL_PATTERN}')`,
  message: 'the name must be a DNS label of at most 63 characters',
}

export const OBJECT_RULES: Readonly<Record<Kind, readonly ObjectRule[]>> = {
  Mesh: [isLabel],
  Node: [isLabel],
  Pairing: [isLabel],
  ResourcePool: [
    isLabel,
    {
      path: ['spec', 'nodeName'],
      holds: (name, spec) => spec.nodeName === name,
      cel: 'self.metadata.name == self.spec.nodeName',
      message: 'spec.nodeName must equal metadata.name: there is one pool a node, of the same name',
    },
  ],
  Archive: [
    isLabel,
    {
      path: ['metadata', 'name'],
      holds: (name) => ARCHIVE_NAME.test(name),
      cel: `self.metadata.name.matches('${ARCHIVE_NAME.source}')`,
      message: 'the name must be cluster-totebox-<domain>-<n> or gateway-orchestration-<name>-<n>',
    },
  ],
}

/** The rules that an object of this name and (defaulted) spec breaks. */
export function objectRuleBreaches(kind: Kind, name: string, spec: object): ObjectRule[] {
  return OBJECT_RULES[kind].filter((rule) => !rule.holds(name, spec as Record<string, unknown>))
}
