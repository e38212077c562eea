-- What Argo CD shows of an object of ppn.dev: the same for all five kinds, from the conditions that kstatus reads too.
local health = { status = "Progressing", message = "no authority has looked at it yet" }
if obj.metadata.deletionTimestamp ~= nil then
  health.message = "it is being deleted"
end
if obj.status == nil or obj.status.conditions == nil then
  return health
end

local found = {}
for _, condition in ipairs(obj.status.conditions) do
  found[condition.type] = condition
end
local ready, stalled = found.Ready, found.Stalled
if ready ~= nil and ready.message ~= nil then
  health.message = ready.message
end
if obj.metadata.deletionTimestamp ~= nil then
  return health
end
-- Of an earlier generation: what it says is not about what is declared now.
if obj.status.observedGeneration ~= obj.metadata.generation then
  health.message = "this generation has not been reconciled yet"
  return health
end

if stalled ~= nil and stalled.status == "True" then
  health.status = "Degraded"
  health.message = stalled.message
elseif ready ~= nil and ready.status == "True" then
  health.status = "Healthy"
elseif ready ~= nil and ready.reason == "Paused" then
  health.status = "Suspended"
end
return health
