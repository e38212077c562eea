import { expect, test } from 'vitest'
import { keyOfTarget, kindOf, parseTargets } from './resource.ts'

test.each([
  ['node', 'Node'],
  ['nodes', 'Node'],
  ['pnode', 'Node'],
  ['Nodes', 'Node'],
  ['nodes.ppn.dev', 'Node'],
  ['node.v1alpha1.ppn.dev', 'Node'],
  ['parc', 'Archive'],
  ['ppool', 'ResourcePool'],
])('%s means %s', (word, kind) => {
  expect(kindOf(word)).toBe(kind)
})

test('a misspelt kind is refused with a suggestion', () => {
  expect(() => kindOf('ndoes')).toThrow('there is no kind "ndoes"; did you mean nodes?')
  expect(() => kindOf('pools')).toThrow('there is no kind "pools"; did you mean resourcepools?')
})

test('kinds and names are read in every form that kubectl takes', () => {
  expect(parseTargets(['nodes'])).toEqual([{ kind: 'Node' }])
  expect(parseTargets(['nodes,archives'])).toEqual([{ kind: 'Node' }, { kind: 'Archive' }])
  expect(parseTargets(['node', 'a', 'b'])).toEqual([
    { kind: 'Node', name: 'a' },
    { kind: 'Node', name: 'b' },
  ])
  expect(parseTargets(['node/a', 'parc/b'])).toEqual([
    { kind: 'Node', name: 'a' },
    { kind: 'Archive', name: 'b' },
  ])
  expect(parseTargets(['all']).map(({ kind }) => kind)).toEqual(['Mesh', 'Node', 'Pairing', 'ResourcePool', 'Archive'])
})

test.each([[[]], [['node/']], [['/a']], [['node/a/b']], [['node/a', 'b']]])('%j is no target', (args) => {
  expect(() => parseTargets(args)).toThrow(expect.objectContaining({ exit: 64 }))
})

test('only archives have a namespace, by default the default one', () => {
  expect(keyOfTarget({ kind: 'Archive', name: 'a' }, undefined)).toBe('Archive/default/a')
  expect(keyOfTarget({ kind: 'Archive', name: 'a' }, 'vault')).toBe('Archive/vault/a')
  expect(keyOfTarget({ kind: 'Node', name: 'a' }, 'vault')).toBe('Node/a')
  expect(() => keyOfTarget({ kind: 'Node' }, undefined)).toThrow('say which node')
})
