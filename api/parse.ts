// From plain JSON, whoever wrote it, to an object of the vocabulary or to everything that is wrong with it.
import type { z } from 'zod'
import { type Issue, issuesOf, withSuggestion } from './issues.ts'
import { API_VERSION, GROUP, KINDS, type Kind, keyOf, type ObjectKey } from './meta.ts'
import { authorMetadata, STORE_OWNED_METADATA } from './metadata.ts'
import { objectRuleBreaches } from './rules.ts'
import { suggest } from './suggest.ts'
import { NAMESPACED, SPEC_SCHEMA, type SpecOf } from './v1alpha1/index.ts'

export type { Issue } from './issues.ts'

/** Where a namespaced object lives that names no namespace. */
export const DEFAULT_NAMESPACE = 'default'

/** What an author declares, read and defaulted, before a store gives it identity. */
export interface ObjectDraft {
  key: ObjectKey
  kind: Kind
  name: string
  namespace?: string
  labels: Readonly<Record<string, string>>
  annotations: Readonly<Record<string, string>>
  /** The spec as written: `generation` counts its changes. */
  raw: unknown
  spec: SpecOf[Kind]
}

export type ParseResult =
  | { type: 'object'; draft: ObjectDraft; warnings: readonly Issue[] }
  /** `key` is set when the object could be named all the same. */
  | { type: 'invalid'; issues: readonly Issue[]; warnings: readonly Issue[]; key?: ObjectKey }
  /** Not of our group, nor meant to be: `Kustomization`, `ConfigMap`. */
  | { type: 'foreign'; apiVersion: string; kind: string }

const TOP_LEVEL = ['apiVersion', 'kind', 'metadata', 'spec', 'status']

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function versionIssue(apiVersion: unknown): Issue | undefined {
  if (apiVersion === API_VERSION) return undefined
  if (apiVersion === undefined) return { code: 'MissingField', path: ['apiVersion'], message: 'apiVersion is missing' }
  const issue: Issue = {
    code: 'UnknownVersion',
    path: ['apiVersion'],
    message: `apiVersion ${JSON.stringify(apiVersion)} is not ${API_VERSION}`,
  }
  return { ...issue, suggestion: API_VERSION }
}

function kindIssue(kind: unknown): Issue | undefined {
  if (KINDS.includes(kind as Kind)) return undefined
  if (kind === undefined) return { code: 'MissingField', path: ['kind'], message: 'kind is missing' }
  const issue: Issue = { code: 'UnknownKind', path: ['kind'], message: `kind ${JSON.stringify(kind)} is unknown` }
  return typeof kind === 'string' ? withSuggestion(issue, suggest(kind, KINDS)) : issue
}

/** Somebody else's object: another group that is no misspelling of ours, and a kind that is none of ours. */
function foreign(apiVersion: unknown, kind: unknown): boolean {
  if (typeof apiVersion !== 'string' || typeof kind !== 'string') return false
  const group = apiVersion.split('/')[0] as string
  return group !== GROUP && suggest(group, [GROUP]) === undefined && !KINDS.includes(kind as Kind)
}

function unknownTopLevel(object: Record<string, unknown>): Issue[] {
  return Object.keys(object)
    .filter((field) => !TOP_LEVEL.includes(field))
    .map((field) =>
      withSuggestion(
        { code: 'UnknownField', path: [field], message: `unknown field ${field}` },
        suggest(field, TOP_LEVEL),
      ),
    )
}

function ignoredFields(object: Record<string, unknown>, metadata: Record<string, unknown>): Issue[] {
  const paths = Object.keys(metadata)
    .filter((field) => STORE_OWNED_METADATA.includes(field))
    .map((field) => ['metadata', field])
  if (object.status !== undefined) paths.unshift(['status'])
  return paths.map((path) => ({
    code: 'IgnoredField' as const,
    path,
    message: `${path.join('.')} belongs to the control plane and is ignored`,
  }))
}

/** The author's part of metadata, and the namespace it means. */
function splitMetadata(object: Record<string, unknown>): Record<string, unknown> {
  const all = isRecord(object.metadata) ? object.metadata : {}
  return Object.fromEntries(Object.entries(all).filter(([field]) => !STORE_OWNED_METADATA.includes(field)))
}

/** The key that a document names, if its kind and names are sound, whatever else is wrong with it. */
function keyOfDocument(kind: unknown, metadata: Record<string, unknown>): ObjectKey | undefined {
  if (!KINDS.includes(kind as Kind)) return undefined
  const name = authorMetadata.shape.name.safeParse(metadata.name)
  if (!name.success) return undefined
  if (!NAMESPACED[kind as Kind]) return keyOf(kind as Kind, name.data)
  const namespace = authorMetadata.shape.namespace.safeParse(metadata.namespace)
  return namespace.success ? keyOf(kind as Kind, name.data, namespace.data ?? DEFAULT_NAMESPACE) : undefined
}

/** The spec alone, for an object whose kind and name are known otherwise. */
export function parseSpec<K extends Kind>(
  kind: K,
  raw: unknown,
): { ok: true; spec: SpecOf[K] } | { ok: false; issues: Issue[] } {
  const schema: z.ZodType = SPEC_SCHEMA[kind]
  const result = schema.safeParse(raw)
  if (result.success) return { ok: true, spec: result.data as SpecOf[K] }
  return { ok: false, issues: issuesOf(schema, raw, result.error, ['spec']) }
}

/** Reads one document. Never throws. All issues are reported, not only the first. */
export function parseObject(plain: unknown): ParseResult {
  if (!isRecord(plain))
    return {
      type: 'invalid',
      issues: [{ code: 'NotAnObject', path: [], message: 'a document must be a mapping with apiVersion and kind' }],
      warnings: [],
    }
  if (foreign(plain.apiVersion, plain.kind))
    return { type: 'foreign', apiVersion: String(plain.apiVersion), kind: String(plain.kind) }

  const metadata = splitMetadata(plain)
  const warnings = ignoredFields(plain, isRecord(plain.metadata) ? plain.metadata : {})
  const issues = [versionIssue(plain.apiVersion), kindIssue(plain.kind)].filter((i) => i !== undefined)
  issues.push(...unknownTopLevel(plain))
  const parsedMetadata = authorMetadata.safeParse(metadata)
  if (!parsedMetadata.success) issues.push(...issuesOf(authorMetadata, metadata, parsedMetadata.error, ['metadata']))

  const kind = plain.kind as Kind
  const key = keyOfDocument(kind, metadata)
  const raw = plain.spec ?? {}
  const spec = KINDS.includes(kind) ? parseSpec(kind, raw) : undefined
  if (spec && !spec.ok) issues.push(...spec.issues)
  if (issues.length > 0 || !parsedMetadata.success || !spec?.ok || key === undefined)
    return { type: 'invalid', issues, warnings, ...(key === undefined ? {} : { key }) }

  const { name, namespace, labels, annotations } = parsedMetadata.data
  const broken = objectRuleBreaches(kind, name, spec.spec)
  if (broken.length > 0) {
    const issues = broken.map(({ path, message }): Issue => ({ code: 'InvalidValue', path: [...path], message }))
    return { type: 'invalid', issues, warnings, key }
  }
  if (namespace !== undefined && !NAMESPACED[kind])
    warnings.push({
      code: 'IgnoredField',
      path: ['metadata', 'namespace'],
      message: `a ${kind} belongs to no namespace; metadata.namespace is ignored`,
    })
  const draft: ObjectDraft = { key, kind, name, labels, annotations, raw, spec: spec.spec }
  if (NAMESPACED[kind]) draft.namespace = namespace ?? DEFAULT_NAMESPACE
  return { type: 'object', draft, warnings }
}
