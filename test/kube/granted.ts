import { parseAllDocuments } from 'yaml'

interface Rule {
  apiGroups: string[]
  resources: string[]
  verbs: string[]
}

interface Role {
  kind: string
  metadata: { name: string }
  rules?: Rule[]
}

/** `verb resource` for everything that the roles of this name in `manifests` allow, as audit.ts names resources. */
export function grantedTo(name: string, manifests: string): Set<string> {
  const roles = parseAllDocuments(manifests)
    .map((document) => document.toJS() as Role)
    .filter(({ kind, metadata }) => kind.endsWith('Role') && metadata.name === name)
  const out = new Set<string>()
  for (const { apiGroups, resources, verbs } of roles.flatMap(({ rules }) => rules ?? []))
    for (const group of apiGroups)
      for (const resource of resources)
        for (const verb of verbs) {
          const [plural, sub] = resource.split('/')
          out.add(`${verb} ${plural}${group && `.${group}`}${sub === undefined ? '' : `/${sub}`}`)
        }
  return out
}
