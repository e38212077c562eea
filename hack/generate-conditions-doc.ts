// Writes docs/conditions.md from the readiness table.
import { writeFileSync } from 'node:fs'
import { conditionsMarkdown } from '../api/readiness/markdown.ts'

writeFileSync(new URL('../docs/conditions.md', import.meta.url), conditionsMarkdown())
