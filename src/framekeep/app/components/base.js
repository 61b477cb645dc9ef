// What all components share; it stands before every component's own script.

function el(tag, attributes = {}, text = "") {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text) node.textContent = text;
  return node;
}

const turns = new WeakMap();  // the newest data that each place in the page was given
const instances = new WeakMap();

// Streamlit loads a component's script anew for each change, and such loads overtake each other:
// what an older one brings must not replace what is newer.
function overtaken({ parentElement, data }) {
  if (!parentElement.isConnected || data.turn < (turns.get(parentElement) ?? 0)) return true;
  turns.set(parentElement, data.turn);
  return false;
}

function mount(component, Kind) {
  const { parentElement } = component;
  if (!overtaken(component)) {
    if (!instances.has(parentElement)) instances.set(parentElement, new Kind(parentElement));
    instances.get(parentElement).update(component);
  }
  return () => {
    // Streamlit also ends a load that was overtaken, while the component lives on.
    if (parentElement.isConnected) return;
    instances.get(parentElement)?.destroy();
    instances.delete(parentElement);
  };
}
