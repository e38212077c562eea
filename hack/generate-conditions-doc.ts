import { conditionsMarkdown } from '../api/readiness/markdown.ts'

/** docs/conditions.md, from the readiness table. */
export function generateConditionsDoc(): Map<string, string> {
  return new Map([['docs/conditions.md', conditionsMarkdown()]])
}
