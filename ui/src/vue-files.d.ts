// For tools that cannot read .vue files.
declare module '*.vue' {
  import type { Component } from 'vue';

  const component: Component;
  export default component;
}
